import Synchronization
import Transport

/// Records what a connection reports, as a stream.
final class RecordingHandler: ConnectionHandler {
    enum Event: Sendable, Equatable {
        case received(Stanza)
        case dropped(StanzaError, count: Int)
        case writability(Bool)
        case closed(DisconnectReason)
    }

    private let continuation: AsyncStream<Event>.Continuation
    private let stream: AsyncStream<Event>
    private let onReceive: (@Sendable (NoiseConnection, Stanza) -> Void)?
    private let connection = Mutex<NoiseConnection?>(nil)

    let isWanted: Bool

    init(isWanted: Bool = true, onReceive: (@Sendable (NoiseConnection, Stanza) -> Void)? = nil) {
        self.isWanted = isWanted
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self)
        self.continuation = continuation
        self.stream = stream
        self.onReceive = onReceive
    }

    /// The next event. One caller at a time.
    func next() async -> Event? {
        var iterator = stream.makeAsyncIterator()
        return await iterator.next()
    }

    func connected(_ connection: NoiseConnection) { self.connection.withLock { $0 = connection } }

    func received(_ stanza: Stanza) {
        continuation.yield(.received(stanza))
        if let onReceive, let connection = connection.withLock({ $0 }) { onReceive(connection, stanza) }
    }

    func dropped(_ error: StanzaError, count: Int) { continuation.yield(.dropped(error, count: count)) }
    func writabilityChanged(_ isWritable: Bool) { continuation.yield(.writability(isWritable)) }

    func closed(reason: DisconnectReason) {
        connection.withLock { $0 = nil }
        continuation.yield(.closed(reason))
        continuation.finish()
    }
}
