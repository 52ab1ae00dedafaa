import NIOCore

/// Bytes on their way to a socket: gathered into few writes, at most one of them under way, each of a bounded size.
///
/// Several frames that are ready leave in one write. At rest nothing is held. With TLS a write is at most 8 KiB, since the
/// TLS handler keeps buffers as large as the largest write it saw (16, section 3.4).
struct OutgoingQueue {
    /// Bytes waiting above which the connection counts as not writable, and below which it does again.
    static let highWater = 64 << 10
    static let lowWater = 16 << 10
    /// Bytes waiting beyond which the connection is closed.
    static let limit = 1 << 20

    private let largestWrite: Int
    /// Encoded and not yet given to the channel.
    private var waiting: ByteBuffer?
    /// Bytes given to the channel and not yet accepted by the socket.
    private var underWay = 0
    /// Positions in the stream of bytes: everything enqueued, everything accepted by the socket.
    private var enqueued = 0
    private var accepted = 0
    /// Promises to complete when the stream is accepted up to a position.
    private var promises: [(position: Int, promise: EventLoopPromise<Void>)] = []

    init(largestWrite: Int) { self.largestWrite = largestWrite }

    /// Bytes that the socket has not accepted.
    var outstanding: Int { enqueued - accepted }

    /// Appends what `write` writes. When that throws, nothing is appended.
    mutating func append(
        promise: EventLoopPromise<Void>?, _ write: (inout ByteBuffer) throws -> Void
    ) rethrows {
        var buffer = waiting.take() ?? ByteBuffer()
        let before = buffer.readableBytes
        defer { if buffer.readableBytes > 0 { waiting = buffer } }
        try write(&buffer)
        enqueued += buffer.readableBytes - before
        if let promise { promises.append((enqueued, promise)) }
    }

    /// The next bytes to write, nil when a write is under way or nothing waits.
    mutating func nextWrite() -> ByteBuffer? {
        guard underWay == 0, var buffer = waiting.take() else { return nil }
        guard buffer.readableBytes > largestWrite, let part = buffer.readSlice(length: largestWrite) else {
            underWay = buffer.readableBytes
            return buffer
        }
        waiting = buffer
        underWay = largestWrite
        return part
    }

    /// The write under way was accepted. Gives the promises to succeed.
    mutating func writeAccepted() -> [EventLoopPromise<Void>] {
        accepted += underWay
        underWay = 0
        let complete = promises.prefix { $0.position <= accepted }.map(\.promise)
        if complete.count == promises.count { promises = [] } else { promises.removeFirst(complete.count) }
        return complete
    }

    /// The connection is over. Gives the promises to fail.
    mutating func removeAll() -> [EventLoopPromise<Void>] {
        defer {
            waiting = nil
            promises = []
        }
        return promises.map(\.promise)
    }
}
