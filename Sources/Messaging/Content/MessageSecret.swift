import Cryptography
import Transport

/// The 32 bytes inside a message under which later messages about it are encrypted a second time
/// (05-message-content, section 13).
package struct MessageSecret: Sendable, Equatable {
    package static let count = 32

    /// What an add-on does with its target. The raw value goes into the key.
    package enum Use: String, Sendable, CaseIterable {
        case pollVote = "Poll Vote"
        case eventResponse = "Event Response"
        case encryptedReaction = "Enc Reaction"
        case encryptedComment = "Enc Comment"
        case eventEdit = "Event Edit"
        case messageEdit = "Message Edit"
        case pollEdit = "Poll Edit"
        case pollAddOption = "Poll Add Option"
        case reportToken = "Report Token"
        /// A bot's answer, under the key that `MessageSecret.forBot` derives.
        case botAnswer = ""

        /// Whether target and modifier are authenticated besides being part of the key.
        var hasAdditionalData: Bool {
            switch self {
            case .pollVote, .eventResponse, .botAnswer: true
            default: false
            }
        }
    }

    /// Which message is modified by whom. Devices do not count: the JIDs are taken without.
    package struct Target: Sendable, Equatable {
        package var messageID: String
        /// Author of the modified message.
        package var author: JID
        /// Sender of the add-on.
        package var modifier: JID

        package init(messageID: String, author: JID, modifier: JID) {
            self.messageID = messageID
            self.author = author
            self.modifier = modifier
        }
    }

    private let secret: SecretBytes

    /// Nil unless there are 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == MessageSecret.count else { return nil }
        secret = SecretBytes(bytes)
    }

    /// A fresh one.
    package init(random: some RandomSource) {
        secret = SecretBytes(random.bytes(MessageSecret.count))
    }

    package var bytes: Bytes { secret.bytes }

    /// The secret that goes to a bot in place of this one: HKDF-SHA256(secret, no salt, `Bot Message`, 32).
    package var forBot: MessageSecret {
        MessageSecret(derived: HKDFSHA256.derive(inputKeyMaterial: secret, info: Bytes("Bot Message".utf8), count: 32))
    }

    private init(derived: Bytes) { secret = SecretBytes(derived) }

    /// The key of an add-on: HKDF-SHA256(secret, no salt, id ‖ author ‖ modifier ‖ use, 32).
    package func key(_ use: Use, _ target: Target) -> SecretBytes {
        let info = target.messageID + target.author.bare.description + target.modifier.bare.description + use.rawValue
        return SecretBytes(HKDFSHA256.derive(inputKeyMaterial: secret, info: Bytes(info.utf8), count: 32))
    }

    /// Encrypts an add-on; `iv` has 12 fresh bytes. Returns ciphertext and 16-byte tag.
    package func seal(_ plaintext: Bytes, for use: Use, _ target: Target, iv: Bytes) throws -> Bytes {
        try AESGCM.seal(
            plaintext, key: key(use, target), nonce: iv, aad: MessageSecret.additionalData(use, target))
    }

    /// Decrypts an add-on. Throws `CryptographyError.authenticationFailed` when secret, target or bytes are not the right
    /// ones, `.invalidKeyLength` for an iv that has not 12 bytes.
    package func open(_ payload: Bytes, for use: Use, _ target: Target, iv: Bytes) throws -> Bytes {
        guard payload.count >= AESGCM.tagCount else { throw CryptographyError.authenticationFailed }
        return try AESGCM.open(
            payload, key: key(use, target), nonce: iv, aad: MessageSecret.additionalData(use, target))
    }

    /// Id, a zero byte and the modifier, or nothing.
    static func additionalData(_ use: Use, _ target: Target) -> Bytes {
        guard use.hasAdditionalData else { return [] }
        return Bytes(target.messageID.utf8) + [0] + Bytes(target.modifier.bare.description.utf8)
    }
}
