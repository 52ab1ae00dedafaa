/// Why pairing failed here (02-pairing-login, sections 7.4 and 21).
package enum PairingError: Error, Sendable, Equatable {
    case hmacMismatch
    case signatureMismatch
    /// A stanza or protobuf without what it must have; the text says which.
    case malformed(String)
    /// Refused by the host's policy.
    case rejected(String)
    /// The passkey step went wrong; the text says how.
    case passkey(String)
    /// The pairing could not be stored.
    case notStored

    /// Code and text of the error reply.
    var reply: (code: Int, text: String) {
        switch self {
        case .hmacMismatch: (401, "hmac-mismatch")
        case .signatureMismatch: (401, "signature-mismatch")
        case .malformed, .rejected, .passkey, .notStored: (500, "internal-error")
        }
    }

    /// Text for the `connection.pair_error` event.
    package var text: String {
        switch self {
        case .hmacMismatch: "invalid device identity HMAC in pair success message"
        case .signatureMismatch: "invalid device signature in pair success message"
        case .malformed(let what): what
        case .rejected(let why), .passkey(let why): why
        case .notStored: "failed to store the pairing"
        }
    }

    var sessionError: SessionError {
        switch self {
        case .hmacMismatch, .signatureMismatch, .malformed: .pairingForged(text)
        case .rejected(let why), .passkey(let why): .pairingRejected(why)
        case .notStored: .storageUnavailable
        }
    }
}
