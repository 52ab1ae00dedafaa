import Cryptography
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Signal
import TestSupport
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// A session on a loop of its own, with a store in memory and a fake server, and the moves tests make.
final class Bench: @unchecked Sendable {
    // Safe: members are set up before the session runs; `session` is replaced only between awaits of one test.
    let eventLoop: any EventLoop
    let store = MemoryStore()
    let commits: MemoryCommitQueue
    let server: FakeServer
    let clock = TestClock()
    let host = TestHost()
    var configuration: DeviceSessionConfiguration
    private(set) var session: DeviceSession

    static let pn = JID.user("15557770000", device: 7)
    static let lid = JID.lid("222000111000222", device: 7)

    init(_ adjust: (inout DeviceSessionConfiguration) -> Void = { _ in }) {
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        commits = MemoryCommitQueue(store: store, eventLoop: eventLoop)
        server = FakeServer(eventLoop: eventLoop)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        configuration = DeviceSessionConfiguration(
            did: 1, epoch: 1, deviceID: "device-1", clientVersion: .builtIn,
            companion: CompanionProperties(name: "Switchboard", version: ClientVersion(1, 0, 0)), clock: clock,
            logger: logger)
        // Nothing here is about these running out; the machine may be busy.
        configuration.timeouts.pairDevice = 60
        configuration.timeouts.reconnect = 60
        configuration.timeouts.repetition = 60
        adjust(&configuration)
        session = DeviceSession(
            configuration: configuration, store: store, commits: commits, connector: server, host: host,
            eventLoop: eventLoop)
    }

    /// A new session object over the same store, as after a restart of the process.
    func restart() {
        configuration.epoch += 1
        let epoch = configuration.epoch
        store.edit(1) { $0.epoch = epoch }
        session = DeviceSession(
            configuration: configuration, store: store, commits: commits, connector: server, host: host,
            eventLoop: eventLoop)
    }

    /// The process dies: the session object is forgotten as it is, its socket breaks, commits that wait are lost.
    func crash() {
        server.abandon()
        restart()
    }

    /// Waits, at most a minute, until something is so.
    func until(_ what: String, _ condition: () async -> Bool) async throws {
        _ = try await eventually(what, within: .seconds(60)) { await condition() ? true : nil }
    }

    /// From now on commits wait.
    func holdCommits() async throws { try await eventLoop.submit { self.commits.hold() }.get() }

    /// Returns once something waits to be committed.
    func untilCommitWaits() async throws {
        try await until("a commit waits") { commits.waitingCount > 0 }
    }

    /// Lets what waits end in one outcome, and what comes commit at once.
    func releaseCommits(_ outcome: MemoryCommitQueue.Outcome = .applied) async throws {
        try await eventLoop.submit { self.commits.release(outcome) }.get()
    }

    /// Lets the oldest `count` commits end well; the others, and what comes, still wait.
    func releaseCommits(count: Int) async throws {
        try await eventLoop.submit { self.commits.release(count: count, keepHolding: true) }.get()
    }

    /// What waits is told that the store is away, and still waits to be applied.
    func tellStoreAway() async throws {
        try await eventLoop.submit { self.commits.tellAway() }.get()
    }

    /// Every load fails with `error`, until nil.
    func failLoads(_ error: StoreError?) { store.loadFailure.withLockedValue { $0 = error } }

    var device: MemoryStore.Device { store.read(1) { $0 } }
    func events(_ type: String) -> [DeviceEvent] { device.events.filter { $0.type == type } }

    /// Credentials of a paired device, as if pairing had happened earlier.
    func pair() {
        var credentials = DeviceCredentials.fresh(random: SystemRandom(), now: clock.now())
        credentials.jid = Bench.pn.description
        credentials.lid = Bench.lid.description
        credentials.account = AccountIdentity(
            details: [8, 1], accountSignature: [UInt8](repeating: 1, count: 64),
            accountSignatureKey: [UInt8](repeating: 2, count: 32), deviceSignature: [UInt8](repeating: 3, count: 64))
        credentials.pairedAt = clock.now()
        store.edit(1) { device in
            device.credentials = credentials
            for id in UInt32(1)...10 {
                device.preKeys[id] = PreKeyRow(
                    id: id, privateKey: PrivateKey(random: SystemRandom()).secret, uploaded: true)
            }
            device.credentials?.nextPreKeyID = 11
        }
        server.world.greeting = { _ in
            [Stanza("success", ["t": "1767323045", "lid": .jid(Bench.lid)])]
        }
    }

    /// A paired session that is ready.
    static func ready(_ adjust: (inout DeviceSessionConfiguration) -> Void = { _ in }) async throws -> Bench {
        let bench = Bench(adjust)
        bench.pair()
        try await bench.connect()
        return bench
    }

    func connect() async throws {
        try await session.start()
        try await session.waitUntilReady(seconds: 60)
        try await server.settle()
        server.clearLog()
    }

    /// The bundle others would get of the device under test: its first stored one-time key.
    func bundle(withOneTimeKey: Bool = true) throws -> PreKeyBundle {
        let credentials = try #require(device.credentials)
        let keys = try OwnKeys(credentials)
        var bundle = PreKeyBundle(
            registrationID: credentials.registrationID, deviceID: UInt32(Bench.pn.device),
            identityKey: keys.publicKeys.identity, signedPreKeyID: keys.publicKeys.signedPreKeyID,
            signedPreKey: keys.publicKeys.signedPreKey, signedPreKeySignature: keys.publicKeys.signedPreKeySignature)
        if withOneTimeKey, let key = device.preKeys.values.sorted(by: { $0.id < $1.id }).first {
            bundle.oneTimePreKeyID = key.id
            bundle.oneTimePreKey = try PrivateKey(key.privateKey).publicKey
        }
        return bundle
    }

    /// A contact with a phone and, by number, a LID; the server knows it.
    func contact(_ number: String = "15550001111", lid: String = "222333444555666", device: UInt16 = 0) -> FakeDevice {
        let peer = FakeDevice(.lid(lid, device: device))
        server.world.lids[.user(number)] = .lid(lid)
        server.world.devices[.lid(lid), default: []].append(device)
        server.world.devices[Bench.lid.bare] = [0, Bench.pn.device]
        server.world.bundles[peer.jid] = peer
        if server.world.bundles[Bench.lid.bare] == nil {
            server.world.bundles[Bench.lid.bare] = FakeDevice(Bench.lid.bare)
        }
        return peer
    }

    /// A message stanza from a contact's device.
    func message(_ id: String, from peer: FakeDevice, encs: [Stanza], extra: StanzaAttributes = [:]) -> Stanza {
        let base: StanzaAttributes = [
            "id": .text(id), "from": .jid(peer.jid), "t": "1767323050", "type": "text", "notify": "Dana",
            "sender_pn": "15550001111@s.whatsapp.net",
        ]
        return Stanza("message", base.merging(extra), children: encs)
    }
}

final class TestClock: WallClock {
    private let time = NIOLockedValueBox(Timestamp(seconds: 1_767_323_045))
    /// Moves on by a microsecond with each look, as no two moments are the same.
    func now() -> Timestamp {
        time.withLockedValue { time in
            time.microseconds += 1
            return time
        }
    }
    func advance(_ seconds: Int64) { time.withLockedValue { $0 = $0.adding(seconds: seconds) } }
}

final class TestHost: SessionHost {
    let refusal = NIOLockedValueBox<String?>(nil)
    let version = NIOLockedValueBox<ClientVersion?>(nil)

    func refusal(ofPairing did: Int64, jid: String, businessName: String) async -> String? {
        refusal.withLockedValue { $0 }
    }

    func newerVersion(than current: ClientVersion) async -> ClientVersion? { version.withLockedValue { $0 } }

    /// What connections are to announce, once a test has said so.
    let announced = NIOLockedValueBox<ClientVersion?>(nil)
    var clientVersion: ClientVersion? { announced.withLockedValue { $0 } }

    let expiries = NIOLockedValueBox(0)
    func versionExpires() { expiries.withLockedValue { $0 += 1 } }
}

extension DeviceEvent {
    var json: String { String(decoding: data, as: UTF8.self) }
}

extension TestHost {
    func refuse(_ text: String) { refusal.withLockedValue { $0 = text } }
    func offer(_ version: ClientVersion) { self.version.withLockedValue { $0 = version } }
}
