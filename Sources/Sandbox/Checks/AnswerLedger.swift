import DequeModule

/// How often the messages given to one device were written and answered: a message is confirmed at most once for each time
/// it was delivered (09, section 15; 04, section 22.2).
///
/// A failed message has two answers, a retry receipt and an ack, so the two kinds are counted apart.
struct AnswerLedger {
    enum Answer: Sendable, Equatable {
        /// A delivery receipt of any kind that takes a message out of the queue, `retry` left out.
        case receipt
        /// `<ack class="message">`.
        case ack
    }

    private struct Entry {
        var written = 0
        var receipts = 0
        var acks = 0
    }

    /// Messages remembered per device.
    static let capacity = 2000

    private var entries: [String: Entry] = [:]
    private var order: Deque<String> = []

    /// A copy of message `id` was written to the device's socket.
    mutating func written(_ id: String) {
        if entries[id] == nil {
            order.append(id)
            if order.count > Self.capacity, let oldest = order.popFirst() { entries[oldest] = nil }
        }
        entries[id, default: Entry()].written += 1
    }

    /// Whether this answer is one more than there were deliveries. A message that was never seen, or is forgotten, is not
    /// judged.
    mutating func answered(_ id: String, _ answer: Answer) -> Bool {
        guard var entry = entries[id] else { return false }
        switch answer {
        case .receipt: entry.receipts += 1
        case .ack: entry.acks += 1
        }
        entries[id] = entry
        return entry.receipts > entry.written || entry.acks > entry.written
    }
}
