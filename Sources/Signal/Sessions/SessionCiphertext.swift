import Cryptography

/// How a pairwise ciphertext is framed.
package enum CiphertextType: String, Sendable {
    /// A SignalMessage.
    case whisper = "msg"
    /// A PreKeySignalMessage: the session is not yet acknowledged by the other side.
    case preKey = "pkmsg"

    /// The `type` attribute of `<enc>`.
    package var encType: String { rawValue }
}

/// One encrypted message for one device.
package struct SessionCiphertext: Sendable {
    package let type: CiphertextType
    /// The content of `<enc>`.
    package let bytes: Bytes
    /// The position of the sending chain that was used.
    package let counter: UInt32
    /// Whether it may leave now, or what must be durable first.
    package let cover: SendCover
}
