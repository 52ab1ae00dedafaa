import Cryptography
import Foundation

/// Why a request is not let in (10-rest-api, section 5.2).
package enum AuthenticationError: Error, Sendable, Equatable {
    case missingAdminSecret
    case missingAPIKey
    case missingAuthorization
    case missingToken
    case invalidAdminSecret
    case invalidAPIKey
    /// `Authorization` is not `Bearer <token>`.
    case invalidAuthorization
    case invalidToken
    case inactiveTenant
    case revokedToken
    case unknownDevice
    /// Too many wrong credentials from this address; seconds until the next try.
    case tooManyFailures(retryAfter: Int)
    /// The directory could not be kept up to date for too long.
    case stale
}

/// Decides who a request comes from. Synchronous and without input or output: everything it needs is in memory.
///
/// `client` is what failures are counted against: the caller's IPv4 address, or the /64 of an IPv6 one.
package struct Authenticator: Sendable {
    private let admin: AdminSecretVerifier
    private let hasher: CredentialHasher
    private let signer: TokenSigner
    private let cache: TokenCache
    private let directory: AuthDirectory
    private let failures: AttemptLimiter
    private let keyFailures: KeyFailures
    private let freshness: AuthFreshness

    /// - Parameters:
    ///   - failures: Wrong credentials per client address.
    ///   - keyFailures: Wrong keys that begin alike, from wherever.
    package init(
        admin: AdminSecretVerifier, hasher: CredentialHasher, signer: TokenSigner, directory: AuthDirectory,
        freshness: AuthFreshness, cache: TokenCache = TokenCache(),
        failures: AttemptLimiter = AttemptLimiter(limit: 20, seconds: 60), keyFailures: KeyFailures = KeyFailures()
    ) {
        self.admin = admin
        self.hasher = hasher
        self.signer = signer
        self.cache = cache
        self.directory = directory
        self.failures = failures
        self.keyFailures = keyFailures
        self.freshness = freshness
    }

    /// Checks the admin secret. An address that guessed wrong too often is refused before its guess is looked at.
    package func authenticateAdmin(_ secret: String?, client: String, now: Int64) throws(AuthenticationError) {
        guard let secret, !secret.isEmpty else { throw .missingAdminSecret }
        try refuseAfterFailures(client, now: now)
        guard admin.verify(secret) else {
            _ = failures.count(client, now: now)
            throw .invalidAdminSecret
        }
    }

    /// The tenant of an API key. Text that cannot be a key is refused without counting: nothing was guessed. While many
    /// addresses guess keys that begin alike, each of them has one guess.
    package func authenticateTenant(
        _ key: String?, client: String, now: Int64
    ) throws(AuthenticationError) -> KnownTenant {
        guard let key, !key.isEmpty else { throw .missingAPIKey }
        guard key.hasPrefix(APIKey.prefix), key.utf8.count <= 256 else { throw .invalidAPIKey }
        try refuseAfterFailures(client, now: now)
        if let wait = keyFailures.wait(key: key, client: client, now: now) {
            throw .tooManyFailures(retryAfter: wait)
        }
        let time = Date(timeIntervalSince1970: TimeInterval(now))
        guard let tenant = directory.tenant(keyHash: hasher.hash(apiKey: key), now: time) else {
            if freshness.isStale { throw .stale }
            _ = failures.count(client, now: now)
            keyFailures.count(key: key, client: client, now: now)
            throw .invalidAPIKey
        }
        guard tenant.isActive else { throw .inactiveTenant }
        return tenant
    }

    /// The device of an `Authorization` header: signature (or a signature checked before), then the version table.
    package func authenticateDevice(
        _ authorization: String?, client: String, now: Int64
    ) throws(AuthenticationError) -> (device: KnownDevice, tenant: KnownTenant) {
        guard let authorization, !authorization.isEmpty else { throw .missingAuthorization }
        let text = try Self.token(in: authorization)
        let token: DeviceToken
        if let known = cache.token(for: text, now: now) {
            token = known
        } else {
            token = try verify(text, client: client, now: now)
        }
        if freshness.isStale { throw .stale }
        guard let (device, tenant) = directory.device(token.deviceID) else { throw .unknownDevice }
        guard device.tokenVersion == token.version else { throw .revokedToken }
        guard let tenant, tenant.isActive else { throw .inactiveTenant }
        return (device, tenant)
    }

    /// `Bearer`, in any case, then one space, then the token.
    static func token(in authorization: String) throws(AuthenticationError) -> String {
        guard let space = authorization.firstIndex(of: " ") else { throw .invalidAuthorization }
        guard authorization[..<space].lowercased() == "bearer" else { throw .invalidAuthorization }
        let token = authorization[authorization.index(after: space)...]
        guard token.contains(where: { $0 != " " }) else { throw .missingToken }
        return String(token)
    }

    private func verify(_ text: String, client: String, now: Int64) throws(AuthenticationError) -> DeviceToken {
        do {
            let verified = try signer.verify(text, now: now)
            cache.insert(verified, for: text, now: now)
            return verified.token
        } catch {
            // Only a forged signature is a guess; what is malformed or out of date cannot be one.
            if error == .signature, failures.count(client, now: now).isExceeded {
                throw .tooManyFailures(retryAfter: failures.standing(client, now: now).resetAfter)
            }
            throw .invalidToken
        }
    }

    private func refuseAfterFailures(_ client: String, now: Int64) throws(AuthenticationError) {
        let standing = failures.standing(client, now: now)
        if standing.isExceeded { throw .tooManyFailures(retryAfter: standing.resetAfter) }
    }
}
