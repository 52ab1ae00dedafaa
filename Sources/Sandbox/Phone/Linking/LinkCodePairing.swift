import Cryptography

/// The phone's half of a pairing by code: it answers a companion's hello and opens the key bundle that follows.
///
/// Steps: 02-pairing-login, sections 9.5 and 9.6; 09-sandbox-server, section 8.
package struct LinkCodePairing: Sendable {
    package enum FinishError: Error, Equatable {
        /// The bundle does not open: the person typed another code than the companion shows.
        case wrongCode
        /// The identities inside the bundle are not those of the two parties.
        case identityMismatch
    }

    /// Random input of one attempt, so that a run can be repeated.
    package struct Randomness: Sendable {
        package var ephemeral: KeyPair
        /// 32 bytes.
        package var salt: Bytes
        /// 16 bytes.
        package var iv: Bytes

        package init(ephemeral: KeyPair, salt: Bytes, iv: Bytes) {
            self.ephemeral = ephemeral
            self.salt = salt
            self.iv = iv
        }
    }

    private static let bundleInfo = Bytes("link_code_pairing_key_bundle_encryption_key".utf8)
    private static let secretInfo = Bytes("adv_secret".utf8)

    /// Content of `link_code_pairing_wrapped_primary_ephemeral_pub`, 80 bytes.
    package let wrappedEphemeral: Bytes
    private let ephemeral: KeyPair
    private let companionEphemeral: PublicKey

    /// Unwraps the companion's ephemeral key and wraps one of the phone's own. Runs PBKDF2 twice.
    package init(code: LinkCode, wrappedCompanionEphemeral: Bytes, randomness: Randomness) throws {
        companionEphemeral = try code.unwrap(wrappedCompanionEphemeral)
        ephemeral = randomness.ephemeral
        wrappedEphemeral = try code.wrap(
            randomness.ephemeral.publicKey, salt: randomness.salt, iv: randomness.iv)
    }

    /// Opens the companion's `salt(32) ‖ nonce(12) ‖ AES-256-GCM(companion identity ‖ primary identity ‖ random 32)`
    /// and returns the ADV secret that both sides now have, 32 bytes.
    package func finish(wrappedBundle: Bytes, companionIdentity: Bytes, account: KeyPair) throws -> Bytes {
        guard wrappedBundle.count == 156, let shared = try? ephemeral.privateKey.agree(with: companionEphemeral) else {
            throw FinishError.wrongCode
        }
        let key = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes, salt: Bytes(wrappedBundle[..<32]), info: Self.bundleInfo, count: 32)
        guard
            let bundle = try? AESGCM.open(
                Bytes(wrappedBundle[44...]), key: key, nonce: Bytes(wrappedBundle[32..<44])),
            bundle.count == 96
        else { throw FinishError.wrongCode }
        guard Bytes(bundle[..<32]) == companionIdentity, Bytes(bundle[32..<64]) == account.publicKey.raw else {
            throw FinishError.identityMismatch
        }
        let identityShared = try account.privateKey.agree(with: PublicKey(raw: companionIdentity))
        return HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes + identityShared.bytes + Bytes(bundle[64...]), info: Self.secretInfo,
            count: 32)
    }
}
