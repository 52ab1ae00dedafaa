import ArgumentParser
import Database
import Foundation
import NIOCore
import NIOPosix
import Storage
import Webhooks

/// The processes of `webhook-faults`: some that deliver, and one that stores.
struct WorkerCrew {
    let uri: String
    private var running: [Process] = []
    private var producer: Process?
    private var producerArguments: [String] = []

    init(uri: String) { self.uri = uri }

    mutating func start() throws { running.append(try run(["webhook-worker"])) }

    mutating func startProducer(_ arguments: [String]) throws {
        producerArguments = arguments
        producer = try run(["webhook-producer"] + arguments)
    }

    private func run(_ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["bench"] + arguments + ["--database", uri]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// The oldest is killed without a chance to tidy up.
    mutating func killOneAndStartAnother() throws {
        if !running.isEmpty { Self.kill(running.removeFirst()) }
        try start()
    }

    /// False when all is stored.
    mutating func killProducerAndStartAnother() throws -> Bool {
        guard let producer, producer.isRunning else { return false }
        Self.kill(producer)
        self.producer = try run(["webhook-producer"] + producerArguments)
        return true
    }

    mutating func killAll() {
        for process in running + (producer.map { [$0] } ?? []) { Self.kill(process) }
        running = []
        producer = nil
    }

    private static func kill(_ process: Process) {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}

/// Delivers what is due until it is killed; part of `webhook-faults`.
struct BenchWebhookWorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook-worker", abstract: "Deliver until killed.", shouldDisplay: false)

    @Option(help: "The database's URI.")
    var database: String

    func run() async throws {
        let opened = try await StorageDatabase.open(
            .init(uri: database, applicationName: "switchboard/bench-worker"), migrations: .off,
            logger: WebhookBenchWorld.quiet)
        // Short waits, so that the test is about faults and not about patience.
        let configuration = WebhookDispatcher.Configuration(
            timeout: .seconds(1),
            retry: RetryPolicy(
                fastAttempts: 100, fastStep: 5, slowSchedule: Array(repeating: 1, count: 100), maximumAge: 86_400),
            breaker: CircuitBreaker(pauses: [50]), pollInterval: .milliseconds(100), runTime: .seconds(1),
            claimSlack: .seconds(1))
        try await WebhookBenchWorld.dispatcher(opened, configuration).run()
    }
}

/// Stores the events of `webhook-faults`, each device's one after the other, until all are stored or it is killed. One that
/// starts in the place of a killed one stores each device's newest event once more, as WhatsApp sends again what was not
/// acknowledged.
struct BenchWebhookProducerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook-producer", abstract: "Store events until killed.", shouldDisplay: false)

    @Option(help: "The database's URI.")
    var database: String

    @Option(help: "Events of all devices.")
    var events: Int

    @Option(help: "Events per second, at most.")
    var rate: Int

    @Option(help: "The node that has the devices' leases.")
    var node: String

    func run() async throws {
        guard let nodeID = UUID(uuidString: node) else { throw ValidationError("--node is a UUID") }
        let world = try await WebhookBenchWorld.reopen(database, nodeID: nodeID)
        let devices = try await OutboxFiller(pool: world.database.system).progress(of: nodeID)
        let (total, pause) = (events, Duration.nanoseconds(Int64(1_000_000_000 * devices.count / max(1, rate))))
        let all = world.with(devices.map(\.device))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, device) in devices.enumerated() {
                let first = device.newest ?? Int64(index)
                group.addTask {
                    for number in stride(from: Int(first), to: total, by: devices.count) {
                        try await Self.storeSurely(all, Int64(number), index)
                        try await Task.sleep(for: pause)
                    }
                }
            }
            try await group.waitForAll()
        }
        await all.shutdown()
    }

    /// The queue keeps what it could not store yet; a caller that was told so tries the same event again.
    private static func storeSurely(_ world: WebhookBenchWorld, _ number: Int64, _ device: Int) async throws {
        while true {
            do { return try await world.store(number, device: device) } catch {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
