import Logging

/// Keeps an ``AuthDirectory`` equal to the database on every node (10-rest-api, section 3.4).
///
/// Normally a notification tells of each change. Entries can become visible out of order, so each read goes back over
/// the last thousand. While the listening connection is down the feed is polled every second, otherwise every 30 s, and
/// in any case three times while the directory may be out of date: a connection that only seems to listen proves nothing.
package struct AuthFeed: Sendable {
    /// Feed entries read again each time.
    private static let overlap: Int64 = 1000
    /// Least time between the beginnings of two reads: changes that come faster are read together.
    private static let spacing = Duration.milliseconds(20)

    private let source: any AuthSource
    private let directory: AuthDirectory
    private let freshness: AuthFreshness
    private let logger: Logger
    private let pollInterval: Duration
    private let safetyInterval: Duration
    private let onChange: @Sendable ([DirectoryChange]) -> Void

    /// - Parameter onChange: Called after changes were applied.
    package init(
        source: any AuthSource, directory: AuthDirectory, freshness: AuthFreshness,
        logger: Logger = Logger(label: "auth"), pollInterval: Duration = .seconds(1),
        safetyInterval: Duration = .seconds(30), onChange: @escaping @Sendable ([DirectoryChange]) -> Void = { _ in }
    ) {
        self.source = source
        self.directory = directory
        self.freshness = freshness
        self.logger = logger
        self.pollInterval = min(pollInterval, freshness.limit / 3)
        self.safetyInterval = min(safetyInterval, freshness.limit / 3)
        self.onChange = onChange
    }

    /// Loads everything; returns the newest feed entry contained.
    package func load() async throws -> Int64 {
        let started = ContinuousClock.now
        let snapshot = try await source.snapshot()
        directory.load(devices: snapshot.devices, tenants: snapshot.tenants)
        freshness.refreshed(at: started)
        return snapshot.lastID
    }

    /// Follows the feed from `lastID` until cancelled.
    package func run(from lastID: Int64) async {
        let (ticks, continuation) = AsyncStream.makeStream(of: Tick.self, bufferingPolicy: .bufferingNewest(8))
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await hint in source.hints() { continuation.yield(.hint(hint, at: .now)) }
                continuation.finish()
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: pollInterval)
                    continuation.yield(.timer)
                }
                continuation.finish()
            }
            await follow(ticks, from: lastID)
            group.cancelAll()
        }
    }

    private enum Tick: Sendable {
        case hint(AuthHint, at: ContinuousClock.Instant)
        case timer
    }

    private func follow(_ ticks: AsyncStream<Tick>, from lastID: Int64) async {
        var last = lastID
        var isListening = false
        var readAt = ContinuousClock.now
        for await tick in ticks {
            if Task.isCancelled { return }
            switch tick {
            case .hint(.disconnected, _): isListening = false
            case .hint(.listening, _): isListening = true
            case .hint(.changed, let arrival):
                // A read that began later has seen it.
                if arrival < readAt { continue }
                let wait = Self.spacing - (.now - readAt)
                if wait > .zero { try? await Task.sleep(for: wait) }
            case .timer:
                let interval = isListening ? safetyInterval : pollInterval
                if ContinuousClock.now - readAt < interval { continue }
            }
            readAt = .now
            do {
                last = try await catchUp(from: last)
            } catch {
                if Task.isCancelled { return }
                logger.warning("auth feed cannot be read", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Applies everything after `lastID` and returns the newest entry.
    package func catchUp(from lastID: Int64) async throws -> Int64 {
        let started = ContinuousClock.now
        let (changes, newest) = try await source.changes(after: max(0, lastID - Self.overlap))
        for change in changes {
            switch change {
            case .device(let device): directory.store(device)
            case .deviceGone(let id): directory.remove(device: id)
            case .tenant(let tenant): directory.store(tenant)
            case .tenantGone(let id): directory.remove(tenant: id)
            }
        }
        freshness.refreshed(at: started)
        if !changes.isEmpty { onChange(changes) }
        return max(lastID, newest)
    }
}
