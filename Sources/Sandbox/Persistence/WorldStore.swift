import Cryptography

/// What a world keeps across restarts: a map from text keys to bytes, written through.
///
/// Keys are paths: `world/…`, `account/<phone>`, `device/<phone>/<id>`, `prekey/…`, `queue/…`, `group/<id>`, and `phone/…` for
/// the phones. Nothing is read back while the world runs; ``all(under:)`` serves loading. Writes of one turn of the loop
/// become durable together, before any frame written in that turn reaches its socket.
@SandboxActor
package protocol WorldStore: AnyObject, Sendable {
    /// Called at the first put or delete after a commit.
    var whenDirty: (@SandboxActor () -> Void)? { get set }
    /// Everything stored under keys that begin with `prefix`, in key order.
    func all(under prefix: String) -> [(key: String, value: Bytes)]
    func put(_ key: String, _ value: Bytes)
    func delete(_ key: String)
    /// Deletes every key that begins with `prefix`.
    func deleteAll(under prefix: String)
    /// Hands everything put and deleted since the last call to the operating system.
    func commit()
    /// Commits, waits for the disk and releases the files.
    func close()
}

/// The store of a world that is not kept on disk: it serves snapshots and loading in the same process.
@SandboxActor
package final class MemoryStore: WorldStore {
    package var whenDirty: (@SandboxActor () -> Void)?
    private var entries: [String: Bytes] = [:]

    package init() {}
    package func all(under prefix: String) -> [(key: String, value: Bytes)] {
        entries.filter { $0.key.hasPrefix(prefix) }.map { (key: $0.key, value: $0.value) }.sorted { $0.key < $1.key }
    }
    package func put(_ key: String, _ value: Bytes) { entries[key] = value }
    package func delete(_ key: String) { entries[key] = nil }
    package func deleteAll(under prefix: String) {
        for key in entries.keys where key.hasPrefix(prefix) { entries[key] = nil }
    }
    package func commit() {}
    package func close() {}
}
