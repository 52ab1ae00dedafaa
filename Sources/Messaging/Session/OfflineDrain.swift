/// The delivery of what a device missed (01-transport, section 23; 16, section 2.3): asks for batches until the end marker.
/// Pure.
struct OfflineDrain: Sendable, Equatable {
    static let batchCount = 200
    /// Seconds without a stanza after which the end marker is not waited for.
    static let silence: Int64 = 60

    private enum State: Sendable, Equatable {
        case live
        case draining(pending: Int, received: Int, sinceRequest: Int)
    }

    private var state = State.live

    var isDraining: Bool { if case .draining = state { true } else { false } }

    /// The announcement; returns whether to ask for a batch.
    mutating func preview(count: Int) -> Bool {
        guard count > 0 else { return false }
        state = .draining(pending: count, received: 0, sinceRequest: 0)
        return true
    }

    /// A stanza with the offline mark; returns whether it was the first of a requested batch while more are due.
    mutating func received() -> Bool {
        guard case .draining(let pending, let received, let sinceRequest) = state else { return false }
        state = .draining(pending: pending, received: received + 1, sinceRequest: sinceRequest + 1)
        return sinceRequest + 1 == Self.batchCount && received + 1 < pending
    }

    mutating func requested() {
        if case .draining(let pending, let received, _) = state {
            state = .draining(pending: pending, received: received, sinceRequest: 0)
        }
    }

    /// The end marker, or silence.
    mutating func finished() { state = .live }
}
