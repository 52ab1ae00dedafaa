import Cryptography

/// Seals the values of `*_enc` columns and, when asked, Signal records: AES-256-GCM under the data key `SECRETS_KEY`
/// (13-configuration, section 15).
///
/// Layout: version byte 1, key id (first 4 bytes of SHA-256 of the key), nonce (12 bytes), ciphertext, tag (16 bytes).
/// Additional data: the version, the key id and the context, a text that names table, column and row.
package struct SecretEnvelope: SecretSealing {
    package enum Failure: Error, Sendable, Equatable {
        /// A key is not 32 bytes long.
        case invalidKey
        case malformed
        /// Sealed under a key that is neither `SECRETS_KEY` nor one of `SECRETS_KEY_PREVIOUS`.
        case unknownKey
        /// The bytes were changed, or belong to another row.
        case notAuthentic
    }

    private struct Key: Sendable {
        let id: Bytes
        let secret: SecretBytes
    }

    private static let version: UInt8 = 1
    private static let headerCount = 1 + 4 + AESGCM.nonceCount
    private let current: Key
    private let previous: [Key]
    private let random: any RandomSource
    /// Whether Signal records and what else is optional get sealed too (`ENCRYPT_SESSION_DATA`).
    package let sealsSessionData: Bool

    /// Keys are 32 bytes each; `previous` ones only open. Throws ``Failure/invalidKey``.
    package init(
        key: SecretBytes, previous: [SecretBytes] = [], sealsSessionData: Bool = false,
        random: any RandomSource = SystemRandom()
    ) throws {
        current = try Self.key(key)
        self.previous = try previous.map(Self.key)
        self.sealsSessionData = sealsSessionData
        self.random = random
    }

    /// The data key when `SECRETS_KEY` is not set: HKDF-SHA-256 of `JWT_SECRET_KEY`.
    package static func derivedKey(fromTokenSecret secret: Bytes) -> SecretBytes {
        SecretBytes(HKDFSHA256.derive(inputKeyMaterial: secret, info: Bytes("switchboard data key 1".utf8), count: 32))
    }

    package func seal(_ plaintext: [UInt8], context: String) throws -> [UInt8] {
        let header = [Self.version] + current.id
        let nonce = random.bytes(AESGCM.nonceCount)
        let sealed = try AESGCM.seal(plaintext, key: current.secret, nonce: nonce, aad: header + Bytes(context.utf8))
        return header + nonce + sealed
    }

    package func seal(_ plaintext: SecretBytes, context: String) throws -> [UInt8] {
        try seal(plaintext.bytes, context: context)
    }

    package func open(_ sealed: [UInt8], context: String) throws -> [UInt8] {
        guard sealed.count >= Self.headerCount + AESGCM.tagCount, sealed.first == Self.version else {
            throw Failure.malformed
        }
        let id = Bytes(sealed[1..<5])
        guard let key = ([current] + previous).first(where: { $0.id == id }) else { throw Failure.unknownKey }
        do {
            return try AESGCM.open(
                sealed[Self.headerCount...], key: key.secret, nonce: Bytes(sealed[5..<Self.headerCount]),
                aad: Bytes(sealed[..<5]) + Bytes(context.utf8))
        } catch {
            throw Failure.notAuthentic
        }
    }

    /// Names the key that new values are sealed under.
    var keyID: [UInt8] { current.id }

    /// True when `sealed` is under an older key and should be sealed again.
    package func isOutdated(_ sealed: [UInt8]) -> Bool {
        sealed.dropFirst().prefix(4).elementsEqual(current.id) == false
    }

    // MARK: Optional sealing

    /// Prefix of a stored record: 0 plain, 1 sealed.
    private enum RecordForm { static let plain: UInt8 = 0, sealed: UInt8 = 1 }

    /// A Signal record as it is stored: one form byte, then the record, sealed when session data is.
    func storedRecord(_ record: [UInt8], context: String) throws -> [UInt8] {
        sealsSessionData ? [RecordForm.sealed] + (try seal(record, context: context)) : [RecordForm.plain] + record
    }

    /// Reads what ``storedRecord(_:context:)`` wrote, in either form.
    func record(stored: [UInt8], context: String) throws -> [UInt8] {
        switch stored.first {
        case RecordForm.plain: Array(stored.dropFirst())
        case RecordForm.sealed: try open(Array(stored.dropFirst()), context: context)
        default: throw Failure.malformed
        }
    }

    /// Content as it is stored: sealed behind the byte 1 when session data is, else as it is. A protobuf message begins with
    /// neither 0 nor 1; other content that does gets a 0 in front. What is empty stays so.
    func storedContent(_ content: [UInt8], context: String) throws -> [UInt8] {
        if content.isEmpty || sealsSessionData {
            return content.isEmpty ? [] : try storedRecord(content, context: context)
        }
        return (content.first ?? 0) <= RecordForm.sealed ? [RecordForm.plain] + content : content
    }

    /// Reads what ``storedContent(_:context:)`` wrote, in either form.
    func content(stored: [UInt8], context: String) throws -> [UInt8] {
        guard let first = stored.first, first <= RecordForm.sealed else { return stored }
        return try record(stored: stored, context: context)
    }

    private static func key(_ secret: SecretBytes) throws -> Key {
        guard secret.count == 32 else { throw Failure.invalidKey }
        return Key(id: Bytes(SHA256Digest.hash(secret.bytes).prefix(4)), secret: secret)
    }
}
