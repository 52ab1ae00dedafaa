/// The delivery of what a device missed (01-transport, section 23; 16, section 2.3): asks for batches until the end marker.
/// Pure.
///
/// The next batch is asked for shortly after the first stanza of the last one came, so that the server need not wait for
/// us between two.
struct OfflineDrain: Sendable, Equatable {
    static let batchCount = 200
    /// Milliseconds between the first stanza of a batch and the next request.
    static let requestDelay: Int64 = 100
    /// More than the server keeps for anybody: a larger announcement is taken for this.
    private static let maximumCount = 1 << 30

    private enum State: Sendable, Equatable {
        case live
        case draining(pending: Int, received: Int, asked: Int)
    }

    private var state = State.live

    var isDraining: Bool { if case .draining = state { true } else { false } }

    /// Whether another batch is to be asked for: the last one has begun, and does not hold all that is due.
    var isDue: Bool {
        guard case .draining(let pending, let received, let asked) = state else { return false }
        return asked < min(Self.batches(received) + 1, Self.batches(pending))
    }

    private static func batches(_ stanzas: Int) -> Int { (stanzas + batchCount - 1) / batchCount }

    /// The announcement of `count` stanzas.
    mutating func preview(count: Int) {
        guard count > 0 else { return }
        state = .draining(pending: min(count, Self.maximumCount), received: 0, asked: 0)
    }

    /// A stanza with the offline mark.
    mutating func received() {
        guard case .draining(let pending, let received, let asked) = state else { return }
        state = .draining(pending: pending, received: min(received + 1, pending), asked: asked)
    }

    /// A batch was asked for.
    mutating func requested() {
        guard case .draining(let pending, let received, let asked) = state else { return }
        state = .draining(pending: pending, received: received, asked: asked + 1)
    }

    /// The end marker, or silence; how many stanzas came.
    @discardableResult
    mutating func finished() -> Int {
        defer { state = .live }
        guard case .draining(_, let received, _) = state else { return 0 }
        return received
    }
}
