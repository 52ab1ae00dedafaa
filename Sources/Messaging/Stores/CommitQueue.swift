import NIOCore

/// The group commit of one event loop: gathers the change sets of all its devices into one transaction at a time.
///
/// Rules a queue keeps (16-performance-durability, section 1.6): sets of one device commit in the order of submission;
/// newer images of a record may replace older ones that wait; one batch is in flight, and the next is not sent before the
/// outcome of the last is known. So the futures of one device complete in the order of `submit`.
package protocol CommitQueue: AnyObject, Sendable {
    /// The loop `submit` must be called on; results are delivered on it.
    var eventLoop: any EventLoop { get }

    /// Queues `changes`. The future succeeds once they are durable and fails with a `CommitError`.
    func submit(_ changes: ChangeSet) -> EventLoopFuture<Void>

    /// As ``submit(_:)``, for what nobody waits for: it may wait some milliseconds for the batch of others.
    func submitWithNext(_ changes: ChangeSet) -> EventLoopFuture<Void>

    /// Bytes waiting or in flight on this loop: above 8 MiB sessions stop reading their sockets.
    var pendingBytes: Int { get }

    /// Bytes waiting or in flight on all loops of the process: above 64 MiB every session stops reading, and new sends are
    /// refused (16, section 2.4).
    var processBytes: Int { get }

    /// Whether what was submitted has not become durable for some seconds: the store is away or full. New sends are then
    /// refused at once.
    var isStalled: Bool { get }
}

extension CommitQueue {
    package var processBytes: Int { pendingBytes }

    package var isStalled: Bool { false }

    /// The most that may wait in one process, in bytes.
    package static var maximumProcessBytes: Int { 64 << 20 }

    /// Whether the store is away, or behind by so much that nothing new is taken: sends are then refused, to be made again
    /// later.
    package var refusesSends: Bool { isStalled || processBytes > Self.maximumProcessBytes }

    package func submitWithNext(_ changes: ChangeSet) -> EventLoopFuture<Void> { submit(changes) }
}

/// Why a change set did not become durable. Nothing that waited for it may be released.
package enum CommitError: Error, Sendable, Equatable {
    /// The lease is another's: the session must end at once and destroy what waits.
    case fenced
    /// The store refuses rows of this set (constraint, size, encoding), repeatedly. What the device submitted after it
    /// fails with it; what it submits from then on, and other devices, go on.
    case rejected(String)
    /// The store was away longer than its patience. The sets stay queued and may still be applied.
    case unavailable
    /// The queue is shut down.
    case closed
}
