import Foundation
import Storage
import Synchronization

/// The events of a device as they are stored, for connections that are held open: the outbox read by number, so that a
/// stream that was cut goes on where it ended. Nothing waits in memory for a slow reader: it reads later.
package final class EventStreams: Sendable {
    private let repository: WebhookRepository
    private let state = Mutex(State())

    private struct State {
        var waiting: [Int64: [UUID: AsyncStream<Void>.Continuation]] = [:]
        var isClosed = false
    }

    /// How long a device's events are stored for streams after one was open, in seconds.
    package static let keptSeconds: Int64 = 86_400
    /// Streams of one device on this node.
    package static let perDevice = 50
    private static let batch = 100

    package init(repository: WebhookRepository) { self.repository = repository }

    /// Where a stream begins.
    package enum Start: Sendable, Equatable {
        case now
        /// Behind the event of this id; from now on when it is not stored any more.
        case after(String)
    }

    package enum Item: Sendable {
        case event(StoredEvent)
        /// Nothing came for a while: time for a sign of life.
        case idle
    }

    /// Says that new events of these devices are stored.
    package func stored(_ events: StoredEvents) { wake(events.devices) }

    /// Says the same of what another node stored.
    package func stored(_ hint: OutboxHint) { wake(hint.devices) }

    private func wake(_ devices: Set<Int64>) {
        let woken = state.withLock { state in
            state.waiting.isEmpty ? [] : devices.flatMap { state.waiting[$0].map { Array($0.values) } ?? [] }
        }
        for continuation in woken { continuation.yield() }
    }

    /// Ends all streams, and every further one at once: the node stops.
    package func close() {
        let open = state.withLock { state in
            state.isClosed = true
            return state.waiting.values.flatMap(\.values)
        }
        for continuation in open { continuation.finish() }
    }

    /// Hands the device's events to `body`, in order, until ``close()``, until `check` or `body` throws, or until the task
    /// is cancelled.
    ///
    /// - Parameters:
    ///   - patterns: names and `category.*`; empty for all but those that are sent on request only.
    ///   - pollInterval: how often the outbox is read without a hint, for events that other nodes stored.
    ///   - check: asked before each look; what it throws ends the stream.
    ///   - idleInterval: how long nothing comes before ``Item/idle``.
    /// - Throws: ``StreamError/tooMany``, `DatabaseError`, or what `body` throws.
    package func run(
        tenant: Int64, did: Int64, from start: Start, patterns: [String] = [], pollInterval: Duration = .seconds(1),
        idleInterval: Duration = .seconds(15), check: () throws -> Void = {}, _ body: (Item) async throws -> Void
    ) async throws {
        let id = UUID()
        let (hints, hint) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try state.withLock { state in
            guard state.waiting[did, default: [:]].count < Self.perDevice else { throw StreamError.tooMany }
            if state.isClosed { hint.finish() } else { state.waiting[did, default: [:]][id] = hint }
        }
        let ticker = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: pollInterval)
                hint.yield()
            }
        }
        defer {
            ticker.cancel()
            hint.finish()
            state.withLock { state in
                state.waiting[did]?[id] = nil
                if state.waiting[did]?.isEmpty == true { state.waiting[did] = nil }
            }
        }
        var position = try await position(start, tenant: tenant, did: did)
        try await repository.keepStream(tenant: tenant, did: did, seconds: Self.keptSeconds)
        var keptAt = ContinuousClock.now
        var heardAt = ContinuousClock.now
        hint.yield()
        for await _ in hints {
            try check()
            while !Task.isCancelled {
                let found = try await repository.events(after: position, tenant: tenant, did: did, limit: Self.batch)
                for event in found {
                    position = event.sequence
                    guard WebhookEventCatalogue.wants(patterns, event.type) else { continue }
                    try await body(.event(event))
                    heardAt = .now
                }
                if found.count < Self.batch { break }
            }
            if ContinuousClock.now - heardAt >= idleInterval {
                try await body(.idle)
                heardAt = .now
            }
            if ContinuousClock.now - keptAt > .seconds(3600) {
                try await repository.keepStream(tenant: tenant, did: did, seconds: Self.keptSeconds)
                keptAt = .now
            }
        }
    }

    private func position(_ start: Start, tenant: Int64, did: Int64) async throws -> Int64 {
        if case .after(let id) = start, let known = try await repository.sequence(of: id, tenant: tenant, did: did) {
            return known
        }
        return try await repository.newestSequence(tenant: tenant, did: did)
    }
}

package enum StreamError: Error, Equatable {
    /// The device has as many streams as it may.
    case tooMany
    /// The token that opened the stream opens its device no more.
    case revoked
    case deviceDeleted
}
