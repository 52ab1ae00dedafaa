import Cryptography

/// Secrets and how credentials are checked (13-configuration, sections 4.1, 5 and 15).
package struct AuthenticationSettings: Sendable {
    package var adminSecret: SecretBytes
    package var previousAdminSecret: SecretBytes?
    package var tokenKey: SecretBytes
    package var previousTokenKey: SecretBytes?
    /// 32 bytes; derived from the token key when not given.
    package var secretsKey: SecretBytes
    package var previousSecretsKeys: [SecretBytes]
    package var apiKeyPepper: SecretBytes?
    /// Seal Signal sessions and sender keys too.
    package var sealsSessionData: Bool
    /// How long an authentication table that cannot be brought up to date is still trusted.
    package var staleLimit: Duration

    private static let samples: Set<String> = [
        "ThisIsAdminSecretKey", "YourSuperSecretJWTKeyAtLeast32CharsLong", "your-super-secret-admin-key-change-this",
        "your-jwt-secret-key-at-least-32-chars", "your-jwt-secret-key-at-least-32-characters-long",
    ]

    init(_ reader: inout SettingReader) {
        let allowsSamples = reader.bool("ALLOW_INSECURE_DEFAULTS")
        let admin = reader.text("ADMIN_SECRET_KEY") ?? ""
        let token = reader.text("JWT_SECRET_KEY") ?? ""
        for (name, secret) in [("ADMIN_SECRET_KEY", admin), ("JWT_SECRET_KEY", token)] {
            if Self.samples.contains(secret), !allowsSamples {
                reader.problem(name, "known sample value, refusing to start", found: "\(secret.count) characters")
            } else if !secret.isEmpty, secret.count < 32 {
                reader.warn(name, "shorter than the recommended 32 characters", found: "\(secret.count) characters")
            }
        }
        if !token.isEmpty, admin == token {
            reader.problem("JWT_SECRET_KEY", "must differ from ADMIN_SECRET_KEY", found: "\(token.count) characters")
        }
        adminSecret = SecretBytes(Bytes(admin.utf8))
        tokenKey = SecretBytes(Bytes(token.utf8))
        previousAdminSecret = reader.text("ADMIN_SECRET_KEY_PREVIOUS").map { SecretBytes(Bytes($0.utf8)) }
        previousTokenKey = reader.text("JWT_SECRET_KEY_PREVIOUS").map { SecretBytes(Bytes($0.utf8)) }
        apiKeyPepper = reader.text("API_KEY_PEPPER").map { SecretBytes(Bytes($0.utf8)) }

        let given = reader.bytes("SECRETS_KEY").map { SecretBytes($0) }
        if given == nil, !token.isEmpty {
            reader.warn(
                "SECRETS_KEY", "not set: derived from JWT_SECRET_KEY, so that changing that one loses stored secrets")
        }
        secretsKey = given ?? Self.derive(from: token, purpose: "secrets-key")
        previousSecretsKeys = reader.byteStrings("SECRETS_KEY_PREVIOUS").map { SecretBytes($0) }
        sealsSessionData = reader.optionalBool("ENCRYPT_SESSION_DATA") ?? (given != nil)
        staleLimit = reader.duration("AUTH_STALE_MAX")
    }

    /// 32 bytes for one purpose out of the token key.
    static func derive(from token: String, purpose: String) -> SecretBytes {
        SecretBytes(
            HKDFSHA256.derive(
                inputKeyMaterial: Bytes(token.utf8), salt: [], info: Bytes("switchboard \(purpose)".utf8), count: 32))
    }
}
