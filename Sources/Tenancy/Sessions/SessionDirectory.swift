import Foundation
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

    /// The session of `did` when this node runs it, nil when nobody does: nothing is claimed or started. Throws
    /// `SessionDirectoryError.elsewhere` when another node has it.
    func located(did: Int64) async throws -> (any DeviceClient)?

    /// The other node that holds `did`, as known for at most two seconds; nil when it is this one, nobody, or unknown.
    func owner(did: Int64) async throws -> DeviceOwner?

    /// Says that what `owner` answered is no longer so.
    func forgetOwner(did: Int64)

    /// Stops the session of a device that is being deleted or moved, if this node runs it, and gives its lease up.
    func stop(did: Int64) async

    /// Tells the other nodes that a device was deleted; whoever runs it unlinks and stops it.
    func announceEnd(did: Int64) async

    /// How far the restore at start has come.
    var restore: RestoreProgress { get }
}

extension SessionDirectory {
    package func located(did: Int64) async throws -> (any DeviceClient)? { running(did: did) }
    package func owner(did: Int64) async throws -> DeviceOwner? { nil }
    package func forgetOwner(did: Int64) {}
    package func announceEnd(did: Int64) async {}
}

/// A node that holds a device.
package struct DeviceOwner: Sendable, Hashable {
    package var did: Int64
    package var nodeID: UUID
    /// Where it takes requests, without a trailing slash.
    package var url: String
    /// Seconds until its lease runs out if it is not renewed.
    package var expiresIn: Double

    package init(did: Int64, nodeID: UUID, url: String, expiresIn: Double) {
        self.did = did
        self.nodeID = nodeID
        self.url = url
        self.expiresIn = expiresIn
    }
}

/// Why there is no session to talk to right now.
package enum SessionDirectoryError: Error, Sendable, Equatable {
    /// Another node owns the device.
    case elsewhere(DeviceOwner)
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
