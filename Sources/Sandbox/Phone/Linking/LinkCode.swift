import Cryptography

/// The eight characters that a companion shows and that its owner types into the phone.
///
/// Rules: 02-pairing-login, sections 9.2 and 9.3.
package struct LinkCode: Sendable, Equatable {
    /// Rounds of PBKDF2 that turn a code into a key.
    package static let keyDerivationRounds = 131_072
    /// Salt 32, counter block 16, ciphertext 32.
    package static let wrappedKeyLength = 80
    /// What companions draw their codes from; phones accept others too, some clients let users choose.
    package static let alphabet = Bytes("123456789ABCDEFGHJKLMNPQRSTVWXYZ".utf8)

    /// Upper case, without dash and blanks.
    package let characters: String

    /// Takes what a person typed. Nil unless eight characters remain.
    package init?(typed text: String) {
        let characters = text.uppercased().filter { !$0.isWhitespace && $0 != "-" }
        guard characters.count == 8, characters.utf8.count == 8 else { return nil }
        self.characters = characters
    }

    /// The code of five random bytes, base32 with the most significant bit first. Nil for another number of bytes.
    package init?(random bytes: Bytes) {
        guard bytes.count == 5 else { return nil }
        var value = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        var reversed = Bytes()
        for _ in 0..<8 {
            reversed.append(Self.alphabet[Int(value & 31)])
            value >>= 5
        }
        characters = String(decoding: reversed.reversed(), as: UTF8.self)
    }

    /// `XXXX-XXXX`.
    package var shown: String { "\(characters.prefix(4))-\(characters.suffix(4))" }

    /// The key that wraps ephemeral public keys: 32 bytes. Costs some 50 ms of CPU.
    package func key(salt: Bytes) -> Bytes {
        PBKDF2SHA256.derive(
            password: Bytes(characters.utf8), salt: salt, rounds: Self.keyDerivationRounds, count: 32)
    }

    /// `salt(32) ‖ iv(16) ‖ AES-256-CTR(public key)`; salt 32 and iv 16 random bytes.
    package func wrap(_ publicKey: PublicKey, salt: Bytes, iv: Bytes) throws -> Bytes {
        salt + iv + (try AESCTR.apply(publicKey.raw, key: key(salt: salt), iv: iv))
    }

    /// The public key inside 80 wrapped bytes. A wrong code yields a wrong key, not an error.
    package func unwrap(_ wrapped: Bytes) throws -> PublicKey {
        guard wrapped.count == Self.wrappedKeyLength else {
            throw CryptographyError.invalidInput("a wrapped key has 80 bytes")
        }
        let salt = Bytes(wrapped[..<32])
        let raw = try AESCTR.apply(Bytes(wrapped[48...]), key: key(salt: salt), iv: Bytes(wrapped[32..<48]))
        return try PublicKey(raw: raw)
    }
}
