import Cryptography

/// Pairing by a code typed into the phone: the code, the wrapping of ephemeral keys under it, and the keys of the bundle
/// (02-pairing-login, sections 9.2, 9.3 and 9.6). Pure: random bytes come in.
package enum LinkCode {
    static let alphabet = Array("123456789ABCDEFGHJKLMNPQRSTVWXYZ".utf8)
    static let rounds = 131_072
    /// salt(32) ‖ iv(16) ‖ ciphertext(32)
    static let wrappedCount = 80

    /// Base32 of 5 random bytes, most significant bit first: 8 characters.
    package static func text(random: [UInt8]) -> String {
        precondition(random.count == 5)
        let bits = random.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let characters = (0..<8).map { alphabet[Int(bits >> UInt64(35 - 5 * $0) & 31)] }
        return String(decoding: characters, as: UTF8.self)
    }

    /// `XXXX-XXXX`.
    package static func shown(_ code: String) -> String { code.prefix(4) + "-" + code.dropFirst(4) }

    /// A caller-chosen code without dash and blanks in upper case, or nil when it is not 8 characters of the alphabet.
    package static func normalized(_ text: String) -> String? {
        let code = text.uppercased().filter { $0 != "-" && $0 != " " }
        guard code.utf8.count == 8, code.utf8.allSatisfy(alphabet.contains) else { return nil }
        return code
    }

    static func key(code: String, salt: [UInt8]) -> [UInt8] {
        PBKDF2SHA256.derive(password: Array(code.utf8), salt: salt, rounds: rounds, count: 32)
    }

    /// Wraps a 32-byte public key: 80 bytes. `salt` has 32 bytes, `iv` 16.
    package static func wrap(_ publicKey: [UInt8], code: String, salt: [UInt8], iv: [UInt8]) throws -> [UInt8] {
        salt + iv + (try AESCTR.apply(publicKey, key: key(code: code, salt: salt), iv: iv))
    }

    /// The public key in 80 (or more) wrapped bytes; a wrong code gives a wrong key, noticed at the bundle.
    package static func unwrap(_ wrapped: [UInt8], code: String) throws -> PublicKey {
        guard wrapped.count >= wrappedCount else { throw PairingError.malformed("wrapped key too short") }
        let salt = Array(wrapped[0..<32])
        return try PublicKey(
            raw: AESCTR.apply(Array(wrapped[48..<80]), key: key(code: code, salt: salt), iv: Array(wrapped[32..<48])))
    }

    /// What companion_finish sends and the ADV secret that replaces the stored one.
    package struct Finish: Sendable, Equatable {
        package var wrappedBundle: [UInt8]
        package var advSecret: SecretBytes
    }

    /// Random parts of `finish`: 32, 12 and 32 bytes.
    package struct FinishRandom: Sendable {
        package var salt: [UInt8]
        package var nonce: [UInt8]
        package var secret: [UInt8]

        package init(salt: [UInt8], nonce: [UInt8], secret: [UInt8]) {
            self.salt = salt
            self.nonce = nonce
            self.secret = secret
        }

        package init(from random: some RandomSource) {
            self.init(salt: random.bytes(32), nonce: random.bytes(12), secret: random.bytes(32))
        }
    }

    package static func finish(
        ephemeral: PrivateKey, primaryEphemeral: PublicKey, identity: KeyPair, primaryIdentity: PublicKey,
        random: FinishRandom
    ) throws -> Finish {
        let shared = try ephemeral.agree(with: primaryEphemeral)
        let bundleKey = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes, salt: random.salt,
            info: Array("link_code_pairing_key_bundle_encryption_key".utf8), count: 32)
        let bundle = identity.publicKey.raw + primaryIdentity.raw + random.secret
        let sealed = try AESGCM.seal(bundle, key: bundleKey, nonce: random.nonce)
        let identityShared = try identity.privateKey.agree(with: primaryIdentity)
        let advSecret = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes + identityShared.bytes + random.secret, info: Array("adv_secret".utf8),
            count: 32)
        return Finish(wrappedBundle: random.salt + random.nonce + sealed, advSecret: SecretBytes(advSecret))
    }
}
