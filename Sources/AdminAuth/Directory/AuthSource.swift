import Foundation

/// One entry of the feed with what it is about as it is now: a change is applied by taking the present rows, so that
/// order and repetition do not matter (14-storage, section 7.5).
package enum DirectoryChange: Sendable, Equatable {
    case device(KnownDevice)
    case deviceGone(UUID)
    case tenant(KnownTenant)
    case tenantGone(Int64)
}

/// Where the directory comes from.
package protocol AuthSource: Sendable {
    /// All devices and tenants, and the newest feed entry that they contain.
    func snapshot() async throws -> (devices: [KnownDevice], tenants: [KnownTenant], lastID: Int64)
    /// Everything that entries above `id` are about, and the newest entry seen.
    func changes(after id: Int64) async throws -> (changes: [DirectoryChange], lastID: Int64)
    /// Hints that there is something new. Ends when the source is shut down.
    func hints() -> AsyncStream<AuthHint>
}

package enum AuthHint: Sendable, Equatable {
    /// Listening (again): what happened before may have been missed.
    case listening
    case changed
    /// Not listening: poll.
    case disconnected
}
