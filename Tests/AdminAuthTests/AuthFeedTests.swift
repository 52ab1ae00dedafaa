import Foundation
import Synchronization
import TestSupport
import Testing

@testable import AdminAuth

@Suite("The directory follows the database", .timeLimit(.minutes(2)))
struct AuthFeedTests {
    /// Runs a feed over `source` while `body` runs.
    private func following(
        _ source: FakeSource, poll: Duration = .seconds(3600), safety: Duration = .seconds(3600),
        _ body: (AuthDirectory) async throws -> Void
    ) async throws {
        let directory = AuthDirectory()
        let feed = AuthFeed(
            source: source, directory: directory, freshness: AuthFreshness(limit: .seconds(36_000)), pollInterval: poll,
            safetyInterval: safety)
        let last = try await feed.load()
        let task = Task { await feed.run(from: last) }
        do {
            try await body(directory)
        } catch {
            task.cancel()
            throw error
        }
        task.cancel()
        source.finish()
        await task.value
    }

    private func waitForVersion(_ version: Int, _ source: FakeSource, in directory: AuthDirectory) async throws {
        _ = try await eventually("version \(version)", within: .seconds(60)) {
            directory.device(source.id)?.device.tokenVersion == version ? true : nil
        }
    }

    @Test("a notification brings a raised token version at once")
    func notified() async throws {
        let source = FakeSource()
        try await following(source) { directory in
            #expect(directory.device(source.id)?.device.tokenVersion == 1)
            source.raise()
            source.say(.changed)
            try await waitForVersion(2, source, in: directory)
        }
    }

    @Test("a notification that is lost while listening is made good by the regular look")
    func lost() async throws {
        let source = FakeSource()
        try await following(source, poll: .milliseconds(10), safety: .milliseconds(50)) { directory in
            source.say(.listening)
            source.raise()
            try await waitForVersion(2, source, in: directory)
        }
    }

    @Test("while the listening connection is down the feed is polled, and read when it is back")
    func disconnected() async throws {
        let source = FakeSource()
        try await following(source, poll: .milliseconds(10)) { directory in
            source.say(.disconnected)
            source.raise()
            try await waitForVersion(2, source, in: directory)
        }
        let other = FakeSource()
        try await following(other) { directory in
            other.say(.disconnected)
            other.raise()
            other.say(.listening)
            try await waitForVersion(2, other, in: directory)
        }
    }

    @Test("listening alone does not make the directory fresh: only what was read from the database does")
    func halfOpen() async throws {
        let source = FakeSource()
        let freshness = AuthFreshness(limit: .milliseconds(300))
        let feed = AuthFeed(source: source, directory: AuthDirectory(), freshness: freshness)
        let last = try await feed.load()
        let task = Task { await feed.run(from: last) }
        source.say(.listening)
        source.isReadable.withLock { $0 = false }
        _ = try await eventually("the directory being stale") { freshness.isStale ? true : nil }
        source.isReadable.withLock { $0 = true }
        _ = try await eventually("the directory being fresh again") { freshness.isStale ? nil : true }
        task.cancel()
        source.finish()
        await task.value
    }

    @Test("a version never falls, whatever order entries become visible in")
    func monotonous() {
        let directory = AuthDirectory()
        let device = KnownDevice(deviceID: UUID(), did: 1, tenantID: 1, tokenVersion: 5)
        directory.store(device)
        var older = device
        older.tokenVersion = 4
        directory.store(older)
        #expect(directory.device(device.deviceID)?.device.tokenVersion == 5)
    }
}

/// A database with one device, whose notifications a test sends or loses.
private final class FakeSource: AuthSource {
    let id = UUID()
    private let version = LockedVersion()
    let isReadable = Mutex(true)
    private let stream: AsyncStream<AuthHint>
    private let continuation: AsyncStream<AuthHint>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: AuthHint.self) }

    func raise() { version.raise() }
    func say(_ hint: AuthHint) { continuation.yield(hint) }
    func finish() { continuation.finish() }

    private var device: KnownDevice { KnownDevice(deviceID: id, did: 1, tenantID: 1, tokenVersion: version.value) }

    func snapshot() async throws -> (devices: [KnownDevice], tenants: [KnownTenant], lastID: Int64) {
        ([device], [KnownTenant(id: 1, isActive: true, requestsPerHour: 0, keys: [])], Int64(version.value))
    }

    func changes(after id: Int64) async throws -> (changes: [DirectoryChange], lastID: Int64) {
        guard isReadable.withLock({ $0 }) else { throw CancellationError() }
        return ([.device(device)], Int64(version.value))
    }

    func hints() -> AsyncStream<AuthHint> { stream }
}

private final class LockedVersion: @unchecked Sendable {  // one number, guarded by the lock
    private let lock = NSLock()
    private var number = 1

    var value: Int { lock.withLock { number } }
    func raise() { lock.withLock { number += 1 } }
}
