import Cryptography
import Database
import Foundation
import Logging
import Messaging
import NIOCore
import NIOPosix
import TestSupport

@testable import Storage

/// A group commit over a fresh database, with devices whose leases this node holds.
struct CommitFixture: Sendable {
    let storage: StorageFixture
    let nodeID: UUID
    let envelope: SecretEnvelope
    let commits: GroupCommit
    let tenant: Tenant

    var store: PostgresDeviceStore { PostgresDeviceStore(storage.database, envelope: envelope) }

    static func run(
        options: CommitOptions = CommitOptions(), sealsSessionData: Bool = true,
        onEvents: @escaping @Sendable (StoredEvents) -> Void = { _ in },
        pause: @escaping @Sendable (Duration) async -> Void = { _ in try? await Task.sleep(for: .milliseconds(5)) },
        _ body: (CommitFixture) async throws -> Void
    ) async throws {
        try await StorageFixture.run { storage in
            let nodeID = UUID()
            let envelope = try SecretEnvelope(
                key: SecretBytes(Array(repeating: 7, count: 32)), sealsSessionData: sealsSessionData)
            try await LeaseRepository(pool: storage.database.system).register(
                node: nodeID, name: "test", url: "http://127.0.0.1", version: "1", maxDevices: 100)
            let commits = GroupCommit(
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(), database: storage.database, nodeID: nodeID,
                envelope: envelope, options: options,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                onEvents: onEvents, pause: pause)
            let fixture = CommitFixture(
                storage: storage, nodeID: nodeID, envelope: envelope, commits: commits,
                tenant: try await storage.tenant())
            do {
                try await body(fixture)
                try? await commits.shutdown(timeout: .seconds(1))
            } catch {
                try? await commits.shutdown(timeout: .milliseconds(10))
                throw error
            }
        }
    }

    /// A device with a lease of this node.
    func device() async throws -> DeviceLease {
        let device = try await storage.device(of: tenant)
        return try await claim(device.did)
    }

    func claim(_ did: Int64, node: UUID? = nil) async throws -> DeviceLease {
        let lease = try await LeaseRepository(pool: storage.database.system).claim(
            node: node ?? nodeID, did: did, ttl: 60)
        guard let lease else { throw StorageError.missingRow("lease") }
        return lease
    }

    func submit(_ changes: ChangeSet) async throws {
        try await commits.eventLoop.flatSubmit { self.commits.submit(changes) }.get()
    }

    /// Submits what nobody waits for; returns what tells of its end.
    func submitPatiently(_ changes: ChangeSet) async throws -> EventLoopFuture<Void> {
        try await commits.eventLoop.submit { self.commits.submitWithNext(changes) }.get()
    }

    /// Submits all in one turn of the loop, so that they go together; returns each one's outcome.
    func submitTogether(_ sets: [ChangeSet]) async throws -> [CommitError?] {
        let futures = try await commits.eventLoop.submit { sets.map { self.commits.submit($0) } }.get()
        var outcomes: [CommitError?] = []
        for future in futures {
            do {
                try await future.get()
                outcomes.append(nil)
            } catch let error as CommitError {
                outcomes.append(error)
            }
        }
        return outcomes
    }
}

extension ChangeSet {
    init(_ lease: DeviceLease, _ fill: (inout ChangeSet) -> Void) {
        self.init(did: lease.did, epoch: lease.epoch)
        fill(&self)
    }
}

extension DeviceCredentials {
    static func sample(jid: String? = nil) -> DeviceCredentials {
        DeviceCredentials(
            registrationID: 1234, noiseKey: SecretBytes(Array(repeating: 1, count: 32)),
            identityKey: SecretBytes(Array(repeating: 2, count: 32)), identityPublic: Array(repeating: 3, count: 32),
            signedPreKey: SignedPreKeyRow(
                id: 5, privateKey: SecretBytes(Array(repeating: 4, count: 32)),
                signature: Array(repeating: 5, count: 64),
                createdAt: Timestamp(seconds: 1_700_000_000)),
            advSecret: SecretBytes(Array(repeating: 6, count: 32)), jid: jid,
            lid: jid == nil ? nil : "222:7@lid", nextPreKeyID: 17, lidMigrationTimestamp: 99, nctSalt: [1, 2],
            serverStatic: Array(repeating: 8, count: 32), routingInfo: [9], pairedAt: Timestamp(seconds: 1_700_000_001))
    }
}

extension MessageRow {
    static func sample(
        id: String, chat: String = "1@s.whatsapp.net", fromMe: Bool = false, at seconds: Int64 = 1_700_000_000,
        type: String = "text", body: String? = "hello", status: MessageStatus = .sent
    ) -> MessageRow {
        MessageRow(
            chat: chat, messageID: id, fromMe: fromMe, timestamp: Timestamp(seconds: seconds),
            sender: "1@s.whatsapp.net",
            type: type, body: body, content: body.map { Array($0.utf8) }, status: status, origin: .live)
    }
}
