import Cryptography
import Database
import Logging
import Messaging
import Metrics

/// What sessions read, over the scoped pool: role `sb_engine`, one device per transaction.
package struct PostgresDeviceStore: DeviceStore {
    private let database: StorageDatabase
    let envelope: SecretEnvelope
    let history: StoreHistory?
    private let logger: Logger
    private let quarantined = Counter(label: "switchboard_signal_records_quarantined_total")

    package init(
        _ database: StorageDatabase, envelope: SecretEnvelope, history: StoreHistory? = nil,
        logger: Logger = Logger(label: "storage")
    ) {
        self.database = database
        self.envelope = envelope
        self.history = history
        self.logger = logger
    }

    /// Runs reads of one device in one round trip. Throws `StoreError`.
    func load(_ did: Int64, _ statements: BoundStatement...) async throws -> [[Row]] {
        do {
            return try await database.pipeline(.engine(did: did), statements).map(\.rows)
        } catch let error as DatabaseError {
            throw StoreError.unavailable(error.description)
        }
    }

    func first(_ did: Int64, _ statement: BoundStatement) async throws -> Row? {
        try await load(did, statement).first?.first
    }

    func opened(_ sealed: [UInt8], context: String) throws -> SecretBytes {
        do {
            return SecretBytes(try envelope.open(sealed, context: context))
        } catch {
            throw StoreError.corrupt(context)
        }
    }

    /// Opens a stored record; one that cannot be opened is put aside and counts as absent (16, section 1.8).
    func record(
        _ stored: [UInt8], context: String, did: Int64, kind: String, name: String
    ) async throws -> [UInt8]? {
        do {
            return try envelope.record(stored: stored, context: context)
        } catch {
            try await quarantine(stored, did: did, kind: kind, name: name, reason: "\(error)")
            return nil
        }
    }

    private func quarantine(_ stored: [UInt8], did: Int64, kind: String, name: String, reason: String) async throws {
        quarantined.increment()
        logger.error("record put aside", metadata: ["did": "\(did)", "kind": "\(kind)", "reason": "\(reason)"])
        _ = try await load(
            did, LoadStatements.quarantine(.int(did), .text(kind), .text(name), .bytes(stored), .text(reason)))
    }

    // MARK: Credentials

    package func credentials(did: Int64) async throws -> DeviceCredentials? {
        guard let row = try await first(did, LoadStatements.credentials(.int(did))) else { return nil }
        func key(_ column: String) throws -> SecretBytes {
            try opened(try row["\(column)_enc"], context: SealingContext.credential(column, did: did))
        }
        var account: AccountIdentity?
        if let details: [UInt8] = try row["adv_details"] {
            account = AccountIdentity(
                details: details, accountSignature: try row["adv_account_sig"] ?? [],
                accountSignatureKey: try row["adv_account_sig_key"] ?? [],
                deviceSignature: try row["adv_device_sig"] ?? [])
        }
        var previous: SignedPreKeyRow?
        if let id: UInt32 = try row["prev_signed_prekey_id"] {
            previous = SignedPreKeyRow(
                id: id, privateKey: try key("prev_signed_prekey"), signature: try row["prev_signed_prekey_sig"],
                createdAt: try row["prev_signed_prekey_at"])
        }
        return DeviceCredentials(
            registrationID: try row["registration_id"], noiseKey: try key("noise_key"),
            identityKey: try key("identity_key"), identityPublic: try row["identity_pub"],
            signedPreKey: SignedPreKeyRow(
                id: try row["signed_prekey_id"], privateKey: try key("signed_prekey"),
                signature: try row["signed_prekey_sig"], createdAt: try row["signed_prekey_at"]),
            previousSignedPreKey: previous, advSecret: try key("adv_secret"), account: account, jid: try row["jid"],
            lid: try row["lid"], nextPreKeyID: try row["next_prekey_id"],
            lidMigrationTimestamp: try row["lid_migration_ts"], nctSalt: try row["nct_salt"],
            serverStatic: try row["server_static"], routingInfo: try row["routing_info"],
            pairedAt: try row["paired_at"])
    }

    package func preKey(did: Int64, id: UInt32) async throws -> SecretBytes? {
        guard let row = try await first(did, LoadStatements.preKey(.int(did), SQLValue(id))) else { return nil }
        return try await preKey(row, did: did, id: id)
    }

    /// One that cannot be opened counts as used up: its peer is asked for a message under another.
    private func preKey(_ row: Row, did: Int64, id: UInt32) async throws -> SecretBytes? {
        let sealed: [UInt8] = try row["key_enc"]
        do {
            return try opened(sealed, context: SealingContext.preKey(did: did, id: id))
        } catch StoreError.corrupt(let context) {
            try await quarantine(sealed, did: did, kind: "prekey", name: "\(id)", reason: "cannot open \(context)")
            return nil
        }
    }

    package func preKeys(did: Int64, ids: [UInt32]) async throws -> [UInt32: SecretBytes] {
        if ids.isEmpty { return [:] }
        var keys: [UInt32: SecretBytes] = [:]
        for row in try await load(did, LoadStatements.preKeys(.int(did), .ints(ids.map(Int64.init))))[0] {
            let id: UInt32 = try row["key_id"]
            keys[id] = try await preKey(row, did: did, id: id)
        }
        return keys
    }

    package func preKeysToUpload(did: Int64, limit: Int) async throws -> [PreKeyRow] {
        var keys: [PreKeyRow] = []
        for row in try await load(did, LoadStatements.preKeysToUpload(.int(did), SQLValue(limit)))[0] {
            let id: UInt32 = try row["key_id"]
            guard let key = try await preKey(row, did: did, id: id) else { continue }
            keys.append(PreKeyRow(id: id, privateKey: key, uploaded: false))
        }
        return keys
    }

    package func uploadedPreKeyCount(did: Int64) async throws -> Int {
        try await first(did, LoadStatements.uploadedPreKeyCount(.int(did)))?[0] ?? 0
    }
}
