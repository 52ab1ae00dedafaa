import Cryptography

/// Why a handshake or a transport frame was refused. Any of these ends the connection.
package enum NoiseError: Error, Equatable {
    /// A handshake message that is not protobuf, or not the message due.
    case malformedMessage
    /// A handshake message without one of its parts, or with a key of another length than 32.
    case missingPart
    /// A key agreement gave the all-zero secret.
    case invalidPublicKey
    /// The tag of a ciphertext does not match.
    case authenticationFailed
    /// The server's certificate chain was refused.
    case certificate(CertificateError)
    /// A step was called out of order, or after a failure.
    case outOfOrder
    /// The direction's 2^32 - 1 frames are used up; reconnect.
    case counterExhausted
}

/// Why a certificate chain was refused (01-transport, section 6).
package enum CertificateError: Error, Equatable {
    /// Not a chain: unparseable, a part missing, or a signature that has not 64 bytes.
    case malformed
    case intermediateSignature
    case leafSignature
    /// The intermediate was not issued by the trusted root's serial.
    case intermediateIssuer(UInt32)
    /// The leaf was not issued by the intermediate.
    case leafIssuer(UInt32)
    /// The intermediate's or leaf's key has another length than 32.
    case invalidKey
    /// The leaf's key is not the one that the handshake proved.
    case keyMismatch
    /// Now is outside of the certificate's validity.
    case intermediateExpired
    case leafExpired
}
