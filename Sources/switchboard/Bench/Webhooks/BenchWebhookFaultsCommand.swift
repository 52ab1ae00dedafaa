import ArgumentParser
import Database
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Storage
import Webhooks

/// `switchboard bench webhook-faults`: events to endpoints that fail, hang, reset and come back, while the process that
/// stores them and those that deliver them are killed and PostgreSQL is restarted. Ends with status 1 unless every event
/// reached every endpoint under one id and in order.
struct BenchWebhookFaultsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook-faults", abstract: "Prove that no event is lost, whatever is killed.")

    @Option(help: "Events.")
    var events = 20_000

    @Option(help: "Devices; each sends its events to all endpoints of the test.")
    var devices = 8

    @Option(help: "Processes that deliver.")
    var workers = 2

    @Option(help: "Events that are stored per second, at most.")
    var rate = 400

    @Option(help: "How often one of them, and the one that stores, is killed with SIGKILL.")
    var kills = 5

    @Option(help: "Seconds until the test gives up.")
    var deadline = 1800

    func run() async throws {
        var server = try await BenchDatabase.start(nil)
        let endpoints = try await FaultyEndpoint.startAll(seed: UInt64(events))
        let world: WebhookBenchWorld
        var crew = WorkerCrew(uri: server.uri)
        do {
            var made = try await WebhookBenchWorld.open(server.uri)
            try await made.addDevices(devices) { _ in endpoints.map { ($0.url, $0.ordering) } }
            world = made
            for _ in 0..<workers { try crew.start() }
            try crew.startProducer([
                "--events", "\(events)", "--rate", "\(rate)", "--node", made.nodeID.uuidString,
            ])
        } catch {
            crew.killAll()
            await server.stop()
            throw error
        }
        let start = ContinuousClock.now
        var outcome = FaultOutcome(events: events, endpoints: endpoints.count)
        do {
            let wanted = events * endpoints.count
            var restarted = false
            while outcome.kills < kills || !restarted {
                // Evenly over the deliveries, the restart in the middle.
                let next = restarted || outcome.kills < kills / 2 ? outcome.kills + 1 : -1
                let mark = next < 0 ? wanted / 2 : wanted * min(next, kills) / (kills + 2)
                try await reach(mark, endpoints, start)
                if next < 0 {
                    server = try await server.restarted()
                    restarted = true
                } else {
                    try crew.killOneAndStartAnother()
                    if try crew.killProducerAndStartAnother() { outcome.producerKills += 1 }
                    outcome.kills += 1
                }
            }
            try await reach(wanted, endpoints, start)
        } catch {
            outcome.error = "\(error)"
        }
        crew.killAll()
        outcome.judge(endpoints, devices: devices)
        outcome.seconds = (ContinuousClock.now - start).inSeconds
        await world.shutdown()
        for endpoint in endpoints { await endpoint.stop() }
        await server.stop()
        Application.printLine(try outcome.json)
        if !outcome.isSound { throw ExitCode(1) }
    }

    private func reach(_ mark: Int, _ endpoints: [FaultyEndpoint], _ start: ContinuousClock.Instant) async throws {
        while endpoints.reduce(0, { $0 + $1.distinct }) < mark {
            guard ContinuousClock.now - start < .seconds(deadline) else { throw DeliveryBenchFailure("time is up") }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// What the test found, as one line of JSON.
struct FaultOutcome: Encodable {
    let events: Int
    let endpoints: Int
    var kills = 0
    /// How often the process that stores the events was killed before it had stored all.
    var producerKills = 0
    var seconds = 0.0
    var missing = 0
    /// Events that came under more than one id, or ids that stood for more than one event.
    var mixedIDs = 0
    /// Events whose first arrival at an endpoint came before an earlier event of the device.
    var disordered = 0
    /// Arrivals beyond the first: the price of "at least once".
    var repeated = 0
    var refused = 0
    var error: String?

    init(events: Int, endpoints: Int) {
        self.events = events
        self.endpoints = endpoints
    }

    var isSound: Bool { error == nil && missing == 0 && mixedIDs == 0 && disordered == 0 }

    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    mutating func judge(_ endpoints: [FaultyEndpoint], devices: Int) {
        var ids: [Int64: String] = [:]
        var numbers: [String: Int64] = [:]
        for endpoint in endpoints {
            let record = endpoint.record
            missing += events - record.first.count
            repeated += record.arrivals.count - record.first.count
            refused += record.refused
            for arrival in record.arrivals {
                if ids.updateValue(arrival.id, forKey: arrival.number) ?? arrival.id != arrival.id { mixedIDs += 1 }
                if numbers.updateValue(arrival.number, forKey: arrival.id) ?? arrival.number != arrival.number {
                    mixedIDs += 1
                }
            }
            // Events of a device have numbers that are equal modulo the devices, stored one after the other.
            var newest: [Int64: Int64] = [:]
            var seen: Set<Int64> = []
            for arrival in record.arrivals where seen.insert(arrival.number).inserted {
                let device = arrival.number % Int64(devices)
                if arrival.number < newest[device] ?? -1 { disordered += 1 }
                newest[device] = max(newest[device] ?? -1, arrival.number)
            }
        }
    }
}

/// An endpoint with a character.
final class FaultyEndpoint: Sendable {
    struct Arrival { let number: Int64, id: String }

    struct Record {
        var arrivals: [Arrival] = []
        var first: Set<Int64> = []
        var refused = 0
        var random: UInt64
        var requests = 0

        /// The next of a fixed row of numbers: the same faults in every run.
        mutating func draw(_ bound: UInt64) -> UInt64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (random >> 33) % bound
        }
    }

    enum Character: CaseIterable { case sound, failing, hanging, resetting, absent }

    private let box: NIOLockedValueBox<Record>
    private let sink: BenchSink
    let ordering: WebhookRecord.Ordering

    var url: String { sink.url }
    var record: Record { box.withLockedValue { $0 } }
    var distinct: Int { box.withLockedValue { $0.first.count } }

    private init(_ character: Character, seed: UInt64) async throws {
        let box = NIOLockedValueBox(Record(random: seed))
        self.box = box
        // Requests time out on a busy machine; only in strict order does that change nothing about the order.
        ordering = .strict
        sink = try await BenchSink.start { body in
            box.withLockedValue { record in
                record.requests += 1
                let answer = Self.answer(character, &record)
                guard case .taken = answer, let number = BenchBody.number("n", in: body),
                    let id = BenchBody.eventID(in: body)
                else {
                    record.refused += 1
                    return answer
                }
                record.arrivals.append(Arrival(number: number, id: id))
                record.first.insert(number)
                return answer
            }
        }
    }

    static func startAll(seed: UInt64) async throws -> [FaultyEndpoint] {
        var all: [FaultyEndpoint] = []
        for (index, character) in Character.allCases.enumerated() {
            all.append(try await FaultyEndpoint(character, seed: seed &+ UInt64(index)))
        }
        return all
    }

    func stop() async { await sink.stop() }

    private static func answer(_ character: Character, _ record: inout Record) -> BenchSink.Answer {
        switch character {
        case .sound: .taken
        case .failing: record.draw(40) == 0 ? .failed : .taken
        case .hanging: record.draw(400) == 0 ? .hang : .taken
        case .resetting: record.draw(60) == 0 ? .reset : .taken
        // Away for thirty requests of every three hundred.
        case .absent: record.requests % 300 < 30 ? .reset : .taken
        }
    }
}
