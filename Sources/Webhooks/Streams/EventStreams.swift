import Foundation
import Storage
import Synchronization

/// The events of a device as they are stored, for connections that are held open: the outbox read by number, so that a
/// stream that was cut goes on where it ended. Nothing waits in memory for a slow reader: it reads later.
///
/// A stream reads when it is told of something new: by the commit that stored it, by another node's hint, or by the one
/// look of this node a second at the newest numbers of all devices with streams, which finds what hints left out.
package final class EventStreams: Sendable {
    private let source: any EventSource
    private let pollInterval: Duration
    private let state = Mutex(State())

    /// An open stream, as those who wake it see it.
    private final class Listener: Sendable {
        let hasNews = Mutex(true)
        let wake: AsyncStream<Void>.Continuation

        init(_ wake: AsyncStream<Void>.Continuation) { self.wake = wake }

        /// Makes it read.
        func tell() {
            hasNews.withLock { $0 = true }
            wake.yield()
        }
    }

    private struct State {
        var open: [Int64: [UUID: Listener]] = [:]
        var isPolling = false
        var isClosed = false
    }

    /// How long a device's events are stored for streams after one was open, in seconds.
    package static let keptSeconds: Int64 = 86_400
    /// Streams of one device on this node.
    package static let perDevice = 50
    private static let batch = 100

    /// - Parameter pollInterval: how often the node looks for events that no hint told of, while streams are open; and how
    ///   often a stream's `check` is asked.
    package init(_ source: any EventSource, pollInterval: Duration = .seconds(1)) {
        self.source = source
        self.pollInterval = pollInterval
    }

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
    package func stored(_ events: StoredEvents) { tell(events.devices) }

    /// Says the same of what another node stored.
    package func stored(_ hint: OutboxHint) { tell(hint.devices) }

    private func tell(_ devices: some Sequence<Int64>) {
        let woken = state.withLock { state in
            state.open.isEmpty ? [] : devices.flatMap { state.open[$0].map { Array($0.values) } ?? [] }
        }
        for listener in woken { listener.tell() }
    }

    /// Ends all streams, and every further one at once: the node stops.
    package func close() {
        let open = state.withLock { state in
            state.isClosed = true
            return state.open.values.flatMap(\.values)
        }
        for listener in open { listener.wake.finish() }
    }

    /// Hands the device's events to `body`, in order, until ``close()``, until `check` or `body` throws, or until the task
    /// is cancelled.
    ///
    /// - Parameters:
    ///   - wants: whether the stream is to have an event of this name.
    ///   - check: asked before each look and once in each poll interval; what it throws ends the stream.
    ///   - idleInterval: how long nothing comes before ``Item/idle``.
    /// - Throws: ``StreamError/tooMany``, `DatabaseError`, or what `body` throws.
    package func run(
        tenant: Int64, did: Int64, from start: Start, wants: (String) -> Bool, idleInterval: Duration = .seconds(15),
        check: () async throws -> Void = {}, _ body: (Item) async throws -> Void
    ) async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (id, listener) = (UUID(), Listener(wake))
        try open(listener, id, did)
        defer {
            wake.finish()
            state.withLock { state in
                state.open[did]?[id] = nil
                if state.open[did]?.isEmpty == true { state.open[did] = nil }
            }
        }
        var position = try await position(start, tenant: tenant, did: did)
        try await source.keepStream(tenant: tenant, did: did, seconds: Self.keptSeconds)
        var keptAt = ContinuousClock.now
        var heardAt = ContinuousClock.now
        wake.yield()
        for await _ in wakes {
            try await check()
            let hasNews = listener.hasNews.withLock { news in
                defer { news = false }
                return news
            }
            while hasNews, !Task.isCancelled {
                let found = try await source.events(after: position, tenant: tenant, did: did, limit: Self.batch)
                for event in found {
                    position = event.sequence
                    guard wants(event.type) else { continue }
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
                try await source.keepStream(tenant: tenant, did: did, seconds: Self.keptSeconds)
                keptAt = .now
            }
        }
    }

    private func open(_ listener: Listener, _ id: UUID, _ did: Int64) throws {
        let startsPolling = try state.withLock { state in
            guard state.open[did, default: [:]].count < Self.perDevice else { throw StreamError.tooMany }
            if state.isClosed {
                listener.wake.finish()
                return false
            }
            state.open[did, default: [:]][id] = listener
            defer { state.isPolling = true }
            return !state.isPolling
        }
        if startsPolling { Task { await poll() } }
    }

    private func position(_ start: Start, tenant: Int64, did: Int64) async throws -> Int64 {
        if case .after(let id) = start, let known = try await source.sequence(of: id, tenant: tenant, did: did) {
            return known
        }
        return try await source.newestSequence(tenant: tenant, did: did)
    }

    // MARK: What no hint told of

    /// Runs while streams are open: one statement for all of them, and a wake for those whose device has more than at the
    /// last look. All others are woken for their check alone.
    private func poll() async {
        var newest: [Int64: Int64] = [:]
        while let open = stillOpen() {
            newest = newest.filter { open[$0.key] != nil }
            // Without an answer nothing is new; the next look finds it.
            let found = (try? await source.newestSequences(of: Array(open.keys))) ?? [:]
            for (did, listeners) in open {
                let isNew = found[did].map { $0 != newest.updateValue($0, forKey: did) } ?? false
                for listener in listeners { if isNew { listener.tell() } else { listener.wake.yield() } }
            }
            try? await Task.sleep(for: pollInterval)
        }
    }

    /// The open streams by device; nil when there are none, and the polling ends.
    private func stillOpen() -> [Int64: [Listener]]? {
        state.withLock { state in
            guard !state.open.isEmpty, !state.isClosed else {
                state.isPolling = false
                return nil
            }
            return state.open.mapValues { Array($0.values) }
        }
    }
}

package enum StreamError: Error, Equatable {
    /// The device has as many streams as it may.
    case tooMany
    /// The token that opened the stream opens its device no more.
    case revoked
    case deviceDeleted
}
