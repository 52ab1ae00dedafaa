import ArgumentParser
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Storage
import Webhooks

/// `switchboard bench webhooks`: events through the outbox and the dispatcher to a sink on this machine.
struct BenchWebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks", abstract: "Measure webhook delivery, one line of JSON for each figure.")

    @Option(help: "An empty database's URI; a private PostgreSQL when absent.")
    var database: String?

    @Option(help: "Devices, each with a webhook of its own.")
    var devices = 64

    @Option(help: "Events of the throughput measurement.")
    var events = 50_000

    @Option(help: "Events per second of the latency measurement; 0 skips it.")
    var rate = 1000

    @Option(help: "Seconds of the latency measurement.")
    var duration = 20

    @Option(help: "Endpoints of other tenants that take 30 s for each answer, beside the latency measurement.")
    var slow = 0

    @Option(help: "Sizes of the queue to measure the cost of an event at, separated by commas; empty skips it.")
    var pending = "1000,10000,100000,1000000"

    @Flag(help: "Skip the throughput measurement.")
    var skipThroughput = false

    func run() async throws {
        let server = try await BenchDatabase.start(database)
        do {
            if !skipThroughput { try await WebhookThroughput(devices: devices, events: events).run(server.uri) }
            if rate > 0 {
                try await WebhookLatency(devices: devices, rate: rate, seconds: duration, slow: slow).run(server.uri)
            }
            let sizes = pending.split(separator: ",").compactMap { Int($0) }
            if !sizes.isEmpty { try await WebhookQueueCost(devices: devices, sizes: sizes).run(server.uri) }
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }
}

/// A line of output.
struct WebhookFigure: Encodable {
    var name: String
    var value: Double
    var unit: String
    var details: [String: Double] = [:]

    func print() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Application.printLine(String(decoding: try encoder.encode(self), as: UTF8.self))
    }
}

/// Events per second from the first submission to the last arrival, as fast as they go.
struct WebhookThroughput {
    let devices: Int
    let events: Int

    func run(_ uri: String) async throws {
        let arrived = NIOLockedValueBox(Set<Int64>())
        let sink = try await BenchSink.start { body in
            if let number = BenchBody.number("n", in: body) { arrived.withLockedValue { _ = $0.insert(number) } }
            return .taken
        }
        let relay = EventRelay()
        var world = try await WebhookBenchWorld.open(uri, loops: 2, onEvents: relay.hear)
        try await world.addDevices(devices) { _ in [(sink.url, .device)] }
        let dispatcher = try WebhookBenchWorld.dispatcher(world.database, .init(limits: .init(tenantCapacity: 64)))
        relay.connect(dispatcher)
        let delivering = Task { await dispatcher.run() }
        let (start, producers) = (ContinuousClock.now, 512)
        let made = world
        let stored = try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<producers {
                group.addTask {
                    for number in stride(from: producer, to: events, by: producers) {
                        try await made.store(Int64(number), device: number % devices)
                    }
                }
            }
            try await group.waitForAll()
            return ContinuousClock.now - start
        }
        while arrived.withLockedValue({ $0.count }) < events {
            guard ContinuousClock.now - start < .seconds(900) else { throw DeliveryBenchFailure("events are missing") }
            try await Task.sleep(for: .milliseconds(2))
        }
        let passed = (ContinuousClock.now - start).inSeconds
        delivering.cancel()
        await delivering.value
        await world.shutdown()
        await sink.stop()
        try WebhookFigure(
            name: "webhook events stored and delivered", value: Double(events) / passed, unit: "events/s",
            details: [
                "events": Double(events), "devices": Double(devices),
                "stored per second": Double(events) / stored.inSeconds,
            ]
        ).print()
    }
}

/// Time from durable to delivered at a steady rate. With `slow` endpoints of other tenants, which take 30 s for an answer and
/// get a tenth as many events, the endpoints that are measured take 5 ms.
struct WebhookLatency {
    let devices: Int
    let rate: Int
    let seconds: Int
    let slow: Int

    private struct Times {
        var durable: [ContinuousClock.Instant?]
        var arrived: [ContinuousClock.Instant?]
    }

    func run(_ uri: String) async throws {
        let total = rate * seconds
        let times = NIOLockedValueBox(
            Times(durable: Array(repeating: nil, count: total), arrived: Array(repeating: nil, count: total)))
        let sink = try await BenchSink.start { body in
            let now = ContinuousClock.now
            if let number = BenchBody.number("n", in: body), number >= 1_000_000_000 {
                times.withLockedValue { times in
                    let index = Int(number - 1_000_000_000)
                    if times.arrived.indices.contains(index), times.arrived[index] == nil { times.arrived[index] = now }
                }
            }
            return slow > 0 ? .late(.milliseconds(5)) : .taken
        }
        let slowSink = try await BenchSink.start { _ in .late(.seconds(30)) }
        let relay = EventRelay()
        var world = try await WebhookBenchWorld.open(uri, loops: 2, onEvents: relay.hear)
        try await world.addDevices(devices) { _ in [(sink.url, .device)] }
        try await world.addDevices(slow) { _ in [(slowSink.url, .device)] }
        let dispatcher = try WebhookBenchWorld.dispatcher(world.database, .init(limits: .init(tenantCapacity: 64)))
        relay.connect(dispatcher)
        let delivering = Task { await dispatcher.run() }
        let made = world
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<total {
                let due = start + .nanoseconds(Int64(index) * 1_000_000_000 / Int64(rate))
                if due > .now { try await Task.sleep(until: due, clock: .continuous) }
                group.addTask {
                    try await made.store(1_000_000_000 + Int64(index), device: index % devices)
                    let now = ContinuousClock.now
                    times.withLockedValue { $0.durable[index] = now }
                }
                if slow > 0, index % 10 == 0 {
                    group.addTask { try await made.store(Int64(index), device: devices + index / 10 % slow) }
                }
            }
            try await group.waitForAll()
        }
        let limit = ContinuousClock.now + .seconds(120)
        while times.withLockedValue({ $0.arrived.contains { $0 == nil } }) {
            guard ContinuousClock.now < limit else { throw DeliveryBenchFailure("events are missing") }
            try await Task.sleep(for: .milliseconds(20))
        }
        delivering.cancel()
        await delivering.value
        await world.shutdown()
        await sink.stop()
        await slowSink.stop()
        // An event may arrive before the producer hears that it is durable: that is no time at all.
        let waits = times.withLockedValue { times in
            zip(times.durable, times.arrived).compactMap { durable, arrived -> Double? in
                guard let durable, let arrived else { return nil }
                return max(0, (arrived - durable).inSeconds * 1000)
            }.sorted()
        }
        func percentile(_ share: Double) -> Double { waits[min(waits.count - 1, Int(Double(waits.count) * share))] }
        try WebhookFigure(
            name: "webhook durable to delivered at \(rate)/s\(slow > 0 ? " beside \(slow) slow endpoints" : ""), p99",
            value: percentile(0.99), unit: "ms",
            details: [
                "p50": percentile(0.5), "p95": percentile(0.95), "p99": percentile(0.99), "max": waits.last ?? 0,
                "events": Double(waits.count),
            ]
        ).print()
    }
}

/// The dispatcher is made after the group commit that it hears from.
final class EventRelay: Sendable {
    private let dispatcher = NIOLockedValueBox<WebhookDispatcher?>(nil)

    func connect(_ dispatcher: WebhookDispatcher) { self.dispatcher.withLockedValue { $0 = dispatcher } }

    var hear: @Sendable (StoredEvents) -> Void {
        { [self] events in dispatcher.withLockedValue { $0 }?.stored(events) }
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
