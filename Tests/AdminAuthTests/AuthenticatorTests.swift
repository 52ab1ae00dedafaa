import AdminAuth
import Cryptography
import Foundation
import Testing

@Suite("Authentication in memory")
struct AuthenticatorTests {
    let directory = AuthDirectory()
    let freshness = AuthFreshness(limit: .seconds(30))
    let signer = TokenSigner(key: SecretBytes(Bytes("a-token-key-for-tests-0123456789".utf8)))
    let hasher = CredentialHasher()
    let deviceID = UUID()
    let key = APIKey.generate()
    let authenticator: Authenticator

    init() {
        authenticator = Authenticator(
            admin: AdminSecretVerifier(current: SecretBytes(Bytes("the-admin-secret".utf8))), hasher: hasher,
            signer: signer,
            directory: directory, freshness: freshness)
        directory.load(
            devices: [KnownDevice(deviceID: deviceID, did: 1, tenantID: 7, tokenVersion: 1)],
            tenants: [tenant(isActive: true)])
        freshness.refreshed()
    }

    private func tenant(isActive: Bool, keys: [KnownTenant.Key]? = nil) -> KnownTenant {
        KnownTenant(
            id: 7, isActive: isActive, requestsPerHour: 0,
            keys: keys ?? [KnownTenant.Key(hash: hasher.hash(apiKey: key.text))])
    }

    private func bearer(version: Int = 1) -> String {
        "Bearer " + signer.sign(DeviceToken(deviceID: deviceID, tenantID: 7, version: version, issuedAt: 100))
    }

    @Test("a token of the current version is let in, from the cache too")
    func valid() throws {
        for _ in 0..<3 {
            #expect(try authenticator.authenticateDevice(bearer(), client: "c", now: 100).device.did == 1)
        }
    }

    @Test("a raised version refuses the old token at once, although its signature is cached")
    func revoked() throws {
        _ = try authenticator.authenticateDevice(bearer(), client: "c", now: 100)
        directory.store(KnownDevice(deviceID: deviceID, did: 1, tenantID: 7, tokenVersion: 2))
        #expect(throws: AuthenticationError.revokedToken) {
            try authenticator.authenticateDevice(bearer(), client: "c", now: 100)
        }
        #expect(
            try authenticator.authenticateDevice(bearer(version: 2), client: "c", now: 100).device.tokenVersion == 2)
    }

    @Test("a late change cannot lower a token version")
    func monotonic() throws {
        directory.store(KnownDevice(deviceID: deviceID, did: 1, tenantID: 7, tokenVersion: 5))
        directory.store(KnownDevice(deviceID: deviceID, did: 1, tenantID: 7, tokenVersion: 4))
        #expect(directory.device(deviceID)?.device.tokenVersion == 5)
    }

    @Test("deleted devices, inactive tenants and stale tables are refused")
    func refusals() throws {
        directory.store(tenant(isActive: false))
        #expect(throws: AuthenticationError.inactiveTenant) {
            try authenticator.authenticateDevice(bearer(), client: "c", now: 100)
        }
        #expect(throws: AuthenticationError.inactiveTenant) {
            try authenticator.authenticateTenant(key.text, client: "c", now: 100)
        }
        directory.remove(device: deviceID)
        #expect(throws: AuthenticationError.unknownDevice) {
            try authenticator.authenticateDevice(bearer(), client: "c", now: 100)
        }
        let stale = Authenticator(
            admin: AdminSecretVerifier(current: SecretBytes(Bytes())), hasher: hasher, signer: signer,
            directory: directory,
            freshness: AuthFreshness(limit: .seconds(30)))
        #expect(throws: AuthenticationError.stale) { try stale.authenticateDevice(bearer(), client: "c", now: 100) }
    }

    @Test("the Authorization header needs a scheme, one space and a token")
    func header() {
        let cases: [(String?, AuthenticationError)] = [
            (nil, .missingAuthorization), ("", .missingAuthorization), ("Bearer", .invalidAuthorization),
            ("Basic x", .invalidAuthorization), ("Bearer ", .missingToken), ("Bearer abc.def.ghi", .invalidToken),
        ]
        for (header, expected) in cases {
            #expect(throws: expected) { try authenticator.authenticateDevice(header, client: "c", now: 100) }
        }
        #expect(throws: Never.self) {
            try authenticator.authenticateDevice("bEARER " + bearer().dropFirst(7), client: "c", now: 100)
        }
    }

    @Test("twenty wrong admin secrets from one address close the door for that address alone")
    func bruteForce() throws {
        for _ in 0..<20 {
            #expect(throws: AuthenticationError.invalidAdminSecret) {
                try authenticator.authenticateAdmin("wrong", client: "1.2.3.4", now: 100)
            }
        }
        #expect(throws: AuthenticationError.tooManyFailures(retryAfter: 50)) {
            try authenticator.authenticateAdmin("the-admin-secret", client: "1.2.3.4", now: 110)
        }
        try authenticator.authenticateAdmin("the-admin-secret", client: "1.2.3.5", now: 110)
        try authenticator.authenticateAdmin("the-admin-secret", client: "1.2.3.4", now: 160)
    }

    @Test("a key that many addresses guess leaves each of them one guess, and its owner in from any other address")
    func guessedKey() throws {
        let authenticator = Authenticator(
            admin: AdminSecretVerifier(current: SecretBytes(Bytes())), hasher: hasher, signer: signer,
            directory: directory, freshness: freshness, keyFailures: KeyFailures(limit: 5, seconds: 600))
        let wrong = key.head + String(repeating: "0", count: 24)
        let other = "wam_" + (key.head.hasSuffix("ffff") ? "0000" : "ffff") + String(repeating: "0", count: 24)
        func guess(_ text: String, from client: String, now: Int64 = 100) -> AuthenticationError? {
            do {
                _ = try authenticator.authenticateTenant(text, client: client, now: now)
                return nil
            } catch { return error }
        }
        // One address and the next may be wrong as often as ever, while nobody else guesses the key.
        for number in 0..<5 { #expect(guess(wrong, from: "10.0.0.\(number / 3)") == .invalidAPIKey) }
        // From now on a wrong key closes this door for its address, here and after a minute ...
        #expect(guess(wrong, from: "10.0.0.1") == .tooManyFailures(retryAfter: 600))
        #expect(guess(wrong, from: "10.0.0.9") == .invalidAPIKey)
        #expect(guess(wrong, from: "10.0.0.9") == .tooManyFailures(retryAfter: 600))
        #expect(guess(key.text, from: "10.0.0.9", now: 200) == .tooManyFailures(retryAfter: 500))
        // ... not for the owner, who may come from anywhere, nor for other keys.
        for number in 0..<3 {
            for _ in 0..<30 { #expect(guess(key.text, from: "10.0.1.\(number)") == nil) }
        }
        for _ in 0..<3 { #expect(guess(other, from: "10.0.0.9", now: 200) == .invalidAPIKey) }
        #expect(guess(key.text, from: "10.0.0.9", now: 701) == nil)
    }

    @Test("an expiring key works until its time")
    func expiringKey() throws {
        let hash = hasher.hash(apiKey: key.text)
        directory.store(tenant(isActive: true, keys: [.init(hash: hash, expiresAt: Date(timeIntervalSince1970: 200))]))
        #expect(try authenticator.authenticateTenant(key.text, client: "c", now: 199).id == 7)
        #expect(throws: AuthenticationError.invalidAPIKey) {
            try authenticator.authenticateTenant(key.text, client: "c", now: 200)
        }
    }
}

@Suite("Limits")
struct LimitTests {
    @Test("a window starts with its first event and ends after its length")
    func window() {
        let limiter = AttemptLimiter(limit: 2, seconds: 60)
        #expect(limiter.count("a", now: 10).remaining == 1)
        #expect(limiter.count("a", now: 20) == .init(limit: 2, remaining: 0, resetAfter: 50, isExceeded: false))
        #expect(limiter.count("a", now: 69).isExceeded)
        #expect(!limiter.count("b", now: 69).isExceeded)
        #expect(limiter.count("a", now: 70).remaining == 1)
    }

    @Test("names are bounded")
    func bounded() {
        let limiter = AttemptLimiter(limit: 1, seconds: 10, capacity: 3)
        for number in 0..<100 { _ = limiter.count("\(number)", now: 0) }
        #expect(limiter.count("99", now: 0).isExceeded)
        #expect(!limiter.count("0", now: 0).isExceeded)
    }

    @Test("who is locked out stays so, however many other names come")
    func flooded() {
        let limiter = AttemptLimiter(limit: 3, seconds: 60, capacity: 100)
        for _ in 0..<3 { _ = limiter.count("guesser", now: 0) }
        _ = limiter.count("clumsy", now: 1)
        for number in 0..<10_000 {
            _ = limiter.count("flood \(number)", now: 2)
            #expect(limiter.standing("guesser", now: 2).isExceeded, "after \(number)")
        }
        #expect(limiter.standing("clumsy", now: 2).remaining == 3)
        #expect(limiter.standing("flood 9999", now: 2).remaining == 2)
        #expect(!limiter.standing("guesser", now: 60).isExceeded)
    }

    @Test("a tenant's requests leave the count an hour later, minute by minute")
    func slidingHour() {
        let hour = SlidingHour()
        #expect(hour.count(tenant: 1, limit: 0, now: 0) == nil)
        for _ in 0..<3 { #expect(hour.count(tenant: 1, limit: 4, now: 0)?.isExceeded == false) }
        #expect(hour.count(tenant: 1, limit: 4, now: 1800)?.remaining == 0)
        #expect(hour.count(tenant: 1, limit: 4, now: 3599)?.isExceeded == true)
        #expect(hour.count(tenant: 1, limit: 4, now: 3600)?.remaining == 2)
        #expect(hour.takeUnsaved() == [1: 5])
        #expect(hour.takeUnsaved().isEmpty)
        #expect(hour.count(tenant: 1, limit: 4, now: 100_000)?.remaining == 3)
    }

    @Test("requests that other nodes counted use up the limit too")
    func sharedHour() {
        let hour = SlidingHour()
        _ = hour.count(tenant: 1, limit: 10, now: 0)
        let unsaved = hour.takeUnsaved()
        hour.putBack(unsaved)
        #expect(hour.takeUnsaved() == [1: 1])
        hour.setTotals([1: 8])
        #expect(hour.count(tenant: 1, limit: 10, now: 1)?.remaining == 1)
        #expect(hour.count(tenant: 1, limit: 10, now: 1)?.isExceeded == false)
        #expect(hour.count(tenant: 1, limit: 10, now: 1)?.isExceeded == true)
    }
}
