import AdminAuth
import Cryptography
import Foundation
import Messaging
import Storage

/// A device that was just made, with what is shown only once.
package struct CreatedDevice: Sendable {
    package let record: DeviceRecord
    package let secret: String
    package let token: String
    /// An earlier request with the same idempotency key made it.
    package let isRepeated: Bool
}

/// Devices of customers: creation within the quota, tokens, deletion (10-rest-api, sections 3 and 9).
package struct DeviceService: Sendable {
    private let devices: DeviceRepository
    private let directory: AuthDirectory
    private let hasher: CredentialHasher
    private let signer: TokenSigner
    private let sessions: any SessionDirectory
    private let audit: AuditLog
    private let details: DeviceDetails
    private let sealing: any SecretSealing
    /// Wrong secrets per device: 10 in 10 minutes.
    private let failures = AttemptLimiter(limit: 10, seconds: 600)
    private let now: @Sendable () -> Int64

    /// - Parameter now: Unix seconds.
    package init(
        database: StorageDatabase, directory: AuthDirectory, hasher: CredentialHasher, signer: TokenSigner,
        sessions: any SessionDirectory, audit: AuditLog, details: DeviceDetails, sealing: any SecretSealing,
        now: @escaping @Sendable () -> Int64
    ) {
        devices = DeviceRepository(database)
        self.directory = directory
        self.hasher = hasher
        self.signer = signer
        self.sessions = sessions
        self.audit = audit
        self.details = details
        self.sealing = sealing
        self.now = now
    }

    /// Makes a device. The quota is exact also among parallel calls. Throws `TenancyError`.
    ///
    /// - Parameter once: Idempotency key and hash of the request: a repetition within a day gets the device that was made.
    package func create(
        for tenant: KnownTenant, name: String, externalID: String?, once: (key: String, requestHash: [UInt8])? = nil,
        from origin: AuditOrigin
    ) async throws -> CreatedDevice {
        let secret = DeviceSecret.generate()
        let record: DeviceRecord
        let earlierSecret: [UInt8]?
        do {
            let repetition = once.map { once in
                CreationKey(key: once.key, requestHash: once.requestHash) { [sealing] did in
                    try sealing.seal(Bytes(secret.utf8), context: SealingContext.creation(did: did))
                }
            }
            (record, earlierSecret) = try await devices.create(
                TenantScope(tenantID: tenant.id), deviceID: UUID(), name: name, externalID: externalID,
                secretHash: hasher.hash(deviceSecret: secret), repetition: repetition)
        } catch let error as DeviceCreationError {
            throw switch error {
            case .limitReached: TenancyError.deviceLimitReached
            case .unknownTenant: TenancyError.tenantNotFound
            case .tenantInactive: TenancyError.inactive
            case .externalIDTaken: TenancyError.externalIDTaken
            case .keyReused: TenancyError.idempotencyKeyReused
            }
        }
        if let earlierSecret {
            let opened = try sealing.open(earlierSecret, context: SealingContext.creation(did: record.did))
            return CreatedDevice(
                record: record, secret: String(decoding: opened, as: UTF8.self),
                token: sign(record.deviceID, tenantID: record.tenantID, version: record.tokenVersion, jid: record.jid),
                isRepeated: true)
        }
        directory.store(
            KnownDevice(
                deviceID: record.deviceID, did: record.did, tenantID: record.tenantID, tokenVersion: record.tokenVersion
            ))
        let token = sign(record.deviceID, tenantID: record.tenantID, version: record.tokenVersion, jid: nil)
        await audit.record(
            "device.create", by: "api_key:\(tenant.id)", from: origin, tenantID: tenant.id, deviceID: record.deviceID)
        return CreatedDevice(record: record, secret: secret, token: token, isRepeated: false)
    }

    /// A new token for a device; every earlier one dies. An unknown device and a wrong secret are not told apart.
    package func regenerateToken(
        deviceID text: String, secret: String, from origin: AuditOrigin
    ) async throws -> (deviceID: UUID, token: String) {
        let time = now()
        let standing = failures.standing(text.lowercased(), now: time)
        if standing.isExceeded { throw TenancyError.tooManyAttempts(retryAfter: standing.resetAfter) }
        let id = text.utf8.count == 36 ? UUID(uuidString: text) : nil
        var record: DeviceCredentialRecord?
        if let id { record = try await devices.credentials(id) }
        // An unknown device compares with a hash that nothing hashes to, so that both take the same path.
        let expected = record?.secretHash ?? Bytes(repeating: 0, count: 32)
        guard constantTimeEquals(hasher.hash(deviceSecret: secret), expected), let id, let record else {
            _ = failures.count(text.lowercased(), now: time)
            throw TenancyError.invalidCredentials
        }
        guard record.tenantIsActive else { throw TenancyError.inactive }
        guard let (version, jid) = try await devices.raiseTokenVersion(id) else {
            throw TenancyError.invalidCredentials
        }
        directory.store(
            KnownDevice(deviceID: id, did: record.did, tenantID: record.tenantID, tokenVersion: version))
        failures.forget(text.lowercased())
        details.forget(did: record.did)
        await audit.record(
            "device.token", by: "device", from: origin, tenantID: record.tenantID, deviceID: id)
        return (id, sign(id, tenantID: record.tenantID, version: version, jid: jid))
    }

    /// A token of the present version for a device of the calling key: earlier ones stay valid. It gives the key nothing
    /// new, for the key may make, delete and (12-device-scoping-api, section 3) drive its devices; it saves keeping tokens.
    ///
    /// Throws `TenancyError.deviceNotFound`, also for a device of another key.
    package func token(
        deviceID text: String, of tenant: KnownTenant, from origin: AuditOrigin
    ) async throws -> (deviceID: UUID, token: String) {
        let record = try await find(text)
        guard record.tenantID == tenant.id else { throw TenancyError.deviceNotFound }
        await audit.record(
            "device.token", by: "api_key:\(tenant.id)", from: origin, tenantID: tenant.id, deviceID: record.deviceID)
        let token = sign(record.deviceID, tenantID: tenant.id, version: record.tokenVersion, jid: record.jid)
        return (record.deviceID, token)
    }

    /// The row of a device named by a request. Throws `TenancyError.deviceNotFound`, also for text that is no id.
    package func find(_ text: String) async throws -> DeviceRecord {
        guard text.utf8.count == 36, let id = UUID(uuidString: text), let record = try await devices.device(id) else {
            throw TenancyError.deviceNotFound
        }
        return record
    }

    /// Deletes a device: its tokens are void at once, and its session is unlinked in the background.
    package func delete(_ text: String, by actor: String, from origin: AuditOrigin) async throws {
        let record = try await find(text)
        let id = record.deviceID
        guard try await devices.delete(id) else { throw TenancyError.deviceNotFound }
        directory.remove(device: id)
        details.forget(did: record.did)
        await audit.record("device.delete", by: actor, from: origin, tenantID: record.tenantID, deviceID: id)
        DeviceFarewell.begin(did: record.did, sessions)
    }

    /// Devices of all tenants, newest first, with the state their owner published.
    package func overviews(_ filter: DeviceFilter) async throws -> [DeviceOverview] {
        try await devices.overviews(filter)
    }

    /// One of them; nil when it is not there.
    package func overview(_ id: UUID) async throws -> DeviceOverview? { try await devices.overview(id) }

    /// How many devices are logged in, on all nodes.
    package func onlineCount() async throws -> Int { try await devices.onlineCount() }

    private func sign(_ id: UUID, tenantID: Int64, version: Int, jid: String?) -> String {
        signer.sign(
            DeviceToken(deviceID: id, tenantID: tenantID, version: version, jid: jid ?? "", issuedAt: now()))
    }
}
