import Database
import Foundation
import NIOConcurrencyHelpers
import Storage
import Webhooks

/// What an event costs while so many wait, and what they cost in memory: a queue is filled, and its first part is
/// drained with the rest behind it.
struct WebhookQueueCost {
    let devices: Int
    let sizes: [Int]

    /// Deliveries measured at each size, at most.
    private static let measured = 20_000

    func run(_ uri: String) async throws {
        for size in sizes { try await measure(size, uri) }
    }

    private func measure(_ size: Int, _ uri: String) async throws {
        let arrived = NIOLockedValueBox(0)
        let sink = try await BenchSink.start { _ in
            arrived.withLockedValue { $0 += 1 }
            return .taken
        }
        var world = try await WebhookBenchWorld.open(uri)
        try await world.addDevices(devices) { _ in [(sink.url, .device)] }
        let filler = OutboxFiller(pool: world.database.system)
        // Only the owner of the tables may empty them.
        let owner = ConnectionPool(
            configuration: world.database.configuration, name: "owner", logger: WebhookBenchWorld.quiet)
        let text = #"{"event_type":"message.received","data":{"text":"\#(String(repeating: "x", count: 300))"}}"#
        for (index, device) in world.devices.enumerated() {
            guard let webhook = device.webhooks.first else { continue }
            let count = size / devices + (index < size % devices ? 1 : 0)
            var first = 1
            while first <= count {
                let step = min(10_000, count - first + 1)
                try await filler.fill(webhook, first: Int64(first), count: step, body: Array(text.utf8))
                first += step
            }
        }
        let goal = min(Self.measured, size / 2)
        // The first deliveries open connections and make plans.
        let warmUp = min(2000, goal / 4)
        let dispatcher = try WebhookBenchWorld.dispatcher(
            world.database, .init(limits: .init(tenantCapacity: 64), backlogLimit: .max))
        let before = Self.residentMegabytes
        let delivering = Task { await dispatcher.run() }
        try await wait(arrived, for: warmUp)
        let (began, offset) = (ContinuousClock.now, arrived.withLockedValue { $0 })
        try await wait(arrived, for: goal)
        let passed = (ContinuousClock.now - began).inSeconds
        let count = arrived.withLockedValue { $0 } - offset
        let after = Self.residentMegabytes
        delivering.cancel()
        await delivering.value
        await sink.stop()
        try await OutboxFiller(pool: owner).clear()
        await owner.shutdown()
        await world.shutdown()
        try WebhookFigure(
            name: "webhook cost of an event with \(size) pending", value: passed / Double(max(1, count)) * 1_000_000,
            unit: "us",
            details: [
                "events per second": Double(count) / passed, "resident MB before": before, "resident MB after": after,
            ]
        ).print()
    }

    private func wait(_ arrived: NIOLockedValueBox<Int>, for count: Int) async throws {
        let limit = ContinuousClock.now + .seconds(900)
        while arrived.withLockedValue({ $0 }) < count {
            guard ContinuousClock.now < limit else { throw DeliveryBenchFailure("events are missing") }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    static var residentMegabytes: Double {
        guard let data = FileManager.default.contents(atPath: "/proc/self/statm") else { return 0 }
        let pages = String(decoding: data, as: UTF8.self).split(separator: " ").compactMap { Double($0) }
        return pages.count > 1 ? pages[1] * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576 : 0
    }
}
