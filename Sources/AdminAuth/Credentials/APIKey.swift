import Cryptography

/// A tenant's key: `wam_` and 28 lower-case hexadecimal digits, 112 random bits (10-rest-api, section 3.3).
package struct APIKey: Sendable, Equatable {
    package static let prefix = "wam_"
    private static let randomByteCount = 14

    /// The whole key. Shown once and never stored.
    package let text: String

    package init(text: String) { self.text = text }

    package static func generate(random: some RandomSource = SystemRandom()) -> APIKey {
        APIKey(text: prefix + Hex.encode(random.bytes(randomByteCount)))
    }

    /// First 8 characters, stored for display.
    package var head: String { String(text.prefix(8)) }
    /// Last 4 characters, stored for display.
    package var tail: String { String(text.suffix(4)) }
    /// `wam_0a1b...9f3c`.
    package var masked: String { APIKey.mask(head: head, tail: tail) }

    package static func mask(head: String, tail: String) -> String { "\(head)...\(tail)" }
}

/// Turns API keys and device secrets into what is stored of them.
///
/// A fast hash is right here: both are random, not passwords.
package struct CredentialHasher: Sendable {
    private let pepper: SecretBytes?

    /// - Parameter pepper: `API_KEY_PEPPER`: keys are then stored as HMAC-SHA-256 under it.
    package init(pepper: SecretBytes? = nil) { self.pepper = pepper }

    /// 32 bytes. Keys of any length are taken, because a header may carry anything; the caller bounds headers.
    package func hash(apiKey: some StringProtocol) -> Bytes {
        let bytes = Bytes(apiKey.utf8)
        return if let pepper { HMACSHA256.authenticate(bytes, key: pepper) } else { SHA256Digest.hash(bytes) }
    }

    /// 32 bytes.
    package func hash(deviceSecret: some StringProtocol) -> Bytes { SHA256Digest.hash(Bytes(deviceSecret.utf8)) }
}

/// A device's secret for new tokens: 64 lower-case hexadecimal digits (10-rest-api, section 3.5).
package enum DeviceSecret {
    package static func generate(random: some RandomSource = SystemRandom()) -> String { Hex.encode(random.bytes(32)) }
}
