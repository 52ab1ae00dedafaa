import ArgumentParser
import Foundation
import Messaging
import NIOCore
import Storage

/// `switchboard bench commits`: the group commit over a PostgreSQL with full durability.
struct BenchCommitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commits", abstract: "Measure the group commit, one line of JSON for each figure.",
        discussion: """
            First the line of one loop alone, under a simulated clock: commits of 0.1, 1 and 5 ms for 1 to 10,000 devices. Then, \
            with PostgreSQL, session records as fast as they go, then what received texts write (session, message, hash of the \
            ciphertext, chat), each submitted when the one before it on its device is durable; then texts at steady rates.
            """)

    @Option(help: "An empty database's URI; a private PostgreSQL when absent.")
    var database: String?

    @Option(help: "Devices.")
    var devices = 256

    @Option(help: "Time of each measurement, in seconds.")
    var duration = 5.0

    @Option(help: "Texts per second of the steady measurements, separated by commas; empty skips them.")
    var rates = "10,100,1000"

    func run() async throws {
        for took in [TimeAmount.microseconds(100), .milliseconds(1), .milliseconds(5)] {
            for (devices, rate) in [(1, 1.0), (100, 100), (1_000, 1_000), (10_000, 5_000)] {
                try CommitLineSimulation(devices: devices, rate: rate, commit: took, seconds: 20).run()
            }
        }
        let server = try await BenchDatabase.start(database)
        do {
            var world = try await WebhookBenchWorld.open(server.uri, loops: 2)
            try await world.addDevices(devices) { _ in [] }
            try await measure(CommitLoad(world))
            await world.shutdown()
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private func measure(_ load: CommitLoad) async throws {
        try await load.run("session rows, 64 in a set", rows: 64, seconds: duration) { $0.sessions(64, number: $1) }
        try await load.run("received texts", seconds: duration) { $0.text(number: $1) }
        for rate in rates.split(separator: ",").compactMap({ Double($0) }) where rate > 0 {
            try await load.run("received texts, \(Int(rate))/s", rate: rate, seconds: duration) { $0.text(number: $1) }
        }
    }
}

/// Submits sets of a world's devices and tells when they were durable.
struct CommitLoad: Sendable {
    let world: WebhookBenchWorld

    init(_ world: WebhookBenchWorld) { self.world = world }

    /// - Parameters:
    ///   - rows: Rows of a set that the figure counts.
    ///   - rate: Sets a second over all devices; nil: each device submits when its last set is durable.
    ///   - make: A set of a device, by its running number.
    func run(
        _ name: String, rows: Int = 1, rate: Double? = nil, seconds: Double,
        _ make: @escaping @Sendable (WebhookBenchWorld.Device, Int) -> ChangeSet
    ) async throws {
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let count = world.devices.count
        // The interval of one device, and where in it the device's first set lies.
        let interval = rate.map { Double(count) / $0 }
        let waits = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for (index, device) in world.devices.enumerated() {
                let commit = world.commits[index % world.commits.count]
                group.addTask {
                    var waits: [Int64] = []
                    var number = 0
                    while true {
                        let due = interval.map {
                            start + .seconds($0 * (Double(index) / Double(count) + Double(number)))
                        }
                        if let due { try await Task.sleep(until: due) }
                        if ContinuousClock.now >= end || (due.map { $0 >= end } ?? false) { return waits }
                        let changes = make(device, number)
                        let begin = NIODeadline.now()
                        try await commit.eventLoop.flatSubmit { commit.submit(changes) }.get()
                        waits.append((NIODeadline.now() - begin).nanoseconds)
                        number += 1
                    }
                }
            }
            return try await group.reduce(into: [Int64]()) { $0 += $1 }
        }
        let passed = (ContinuousClock.now - start).inSeconds
        var latencies = Latencies()
        for wait in waits { latencies.add(wait) }
        var report = LoadReport("commit, \(name), \(count) devices")
        report.set(latencies, in: passed)
        report.set("rows_per_second", Double(waits.count * rows) / passed)
        try report.print()
    }
}

extension WebhookBenchWorld.Device {
    /// A time that no two numbers of a process share, so that a row is newer than what an earlier measurement wrote.
    private static func revision(_ epoch: Int64) -> Int64 {
        (epoch << 40) + Int64(clamping: NIODeadline.now().uptimeNanoseconds / 1_000) % (1 << 40)
    }

    /// Images of `count` sessions of 600 bytes.
    func sessions(_ count: Int, number: Int) -> ChangeSet {
        var changes = ChangeSet(did: did, epoch: epoch)
        let rev = Self.revision(epoch)
        changes.sessions = (0..<count).map {
            SessionImage(address: "15550\($0 + 100_000):0", rev: rev, record: Array(repeating: 7, count: 600))
        }
        return changes
    }

    /// What a received text writes, its event aside.
    func text(number: Int) -> ChangeSet {
        var changes = ChangeSet(did: did, epoch: epoch)
        let rev = Self.revision(epoch)
        let seconds = Int64(Date().timeIntervalSince1970)
        let id = "3EB0" + String(rev, radix: 16, uppercase: true)
        let chat = "1555000\(number % 50)@s.whatsapp.net"
        changes.sessions = [
            SessionImage(
                address: "1555000\(number % 50):0", rev: rev, record: Array(repeating: UInt8(number & 255), count: 600))
        ]
        var hash = [UInt8](repeating: 0, count: 32)
        withUnsafeBytes(of: (did, rev)) { for (index, byte) in $0.enumerated() { hash[index] = byte } }
        changes.handledCiphertexts = [HandledCiphertext(hash: hash, serverTimestamp: seconds)]
        let text = "Do you have the blue one in size 42, and when could it be here?"
        changes.messages = [
            MessageRow(
                chat: chat, messageID: id, fromMe: false, timestamp: Timestamp(seconds: seconds), sender: chat,
                type: "text", body: text, content: Array(text.utf8), status: .sent, origin: .live)
        ]
        changes.chats = [
            ChatUpdate(
                chat: chat, kind: .user, lastMessage: (id, Timestamp(seconds: seconds)), unreadIncrement: 1)
        ]
        return changes
    }
}
