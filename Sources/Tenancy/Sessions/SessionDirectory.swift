import Messaging

/// Finds the session of a device, on this node or through its owner.
///
/// `SessionSupervisor` is the one implementation; the protocol exists so that the HTTP side can be tested without a socket.
package protocol SessionDirectory: Sendable {
    /// The session of `did` when this node runs it, without waiting.
    func running(did: Int64) -> (any DeviceClient)?

    /// The session of `did`, claimed and started here when nobody owns the device. Waits up to 5 s for a session that is
    /// being restored. Throws `SessionDirectoryError`.
    func session(did: Int64) async throws -> any DeviceClient

    /// Stops the session of a device that is being deleted or moved, if this node runs it, and gives its lease up.
    func stop(did: Int64) async

    /// How far the restore at start has come.
    var restore: RestoreProgress { get }
}

/// Why there is no session to talk to right now.
package enum SessionDirectoryError: Error, Sendable, Equatable {
    /// Another node owns the device; `url` is where it takes requests.
    case elsewhere(url: String)
    /// Nobody owns it yet or its owner cannot be reached; try again after `retryAfter` seconds.
    case unavailable(retryAfter: Int)
    /// There is no such device.
    case unknownDevice
    /// This node is shutting down.
    case stopping
}

/// Counts of the restore pass at start (13-configuration, section 8.2).
package struct RestoreProgress: Sendable, Equatable {
    package var total = 0
    package var done = 0
    package var failed = 0

    package init(total: Int = 0, done: Int = 0, failed: Int = 0) {
        self.total = total
        self.done = done
        self.failed = failed
    }
}
