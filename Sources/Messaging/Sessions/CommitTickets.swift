/// Position in the commit order of one device: "ticket t is done" means that the change set submitted with it, and every
/// one before it, is durable (16-performance-durability, section 1.6).
package struct CommitTicket: Sendable, Hashable, Comparable {
    package let number: UInt64

    package init(_ number: UInt64) { self.number = number }

    /// What needs no commit.
    package static let none = CommitTicket(0)

    package static func < (left: CommitTicket, right: CommitTicket) -> Bool { left.number < right.number }
}

/// Gives out tickets and knows how far the store has got.
package struct CommitTickets: Sendable {
    private var last: UInt64 = 0
    package private(set) var watermark = CommitTicket.none
    /// Outcomes up to here are known, good or bad.
    package private(set) var settledThrough = CommitTicket.none

    package init() {}

    /// The ticket the next submission will have. The stretch between asking and submitting must not suspend.
    package var next: CommitTicket { CommitTicket(last + 1) }
    /// The newest ticket that was submitted.
    package var newest: CommitTicket { CommitTicket(last) }
    package var hasPending: Bool { settledThrough.number < last }

    package mutating func submitted() -> CommitTicket {
        last += 1
        return CommitTicket(last)
    }

    package mutating func settled(_ ticket: CommitTicket) { settledThrough = max(settledThrough, ticket) }
    package mutating func done(_ ticket: CommitTicket) { watermark = max(watermark, ticket) }
}

/// Frames that wait for commits, in the order they were made.
///
/// A frame of a chat never overtakes an earlier frame of the same chat; frames of other chats, and frames without one, may
/// overtake (16, section 1.6). Pure: the caller writes what comes out.
package struct FrameGate<Frame: Sendable>: Sendable {
    private struct Waiting: Sendable {
        var ticket: CommitTicket
        var lane: String?
        var frame: Frame
    }

    private var waiting: [Waiting] = []

    package init() {}

    package var count: Int { waiting.count }

    package func contains(where condition: (Frame) -> Bool) -> Bool { waiting.contains { condition($0.frame) } }

    /// Takes a frame; returns it when it may leave at once.
    package mutating func enqueue(
        _ frame: Frame, lane: String?, after ticket: CommitTicket, watermark: CommitTicket
    ) -> Frame? {
        let isFree = ticket <= watermark && (lane == nil || !waiting.contains { $0.lane == lane })
        if isFree { return frame }
        waiting.append(Waiting(ticket: ticket, lane: lane, frame: frame))
        return nil
    }

    /// Frames that may leave now, in order.
    package mutating func release(watermark: CommitTicket) -> [Frame] {
        guard !waiting.isEmpty else { return [] }
        var released: [Frame] = []
        var blocked: Set<String> = []
        var kept: [Waiting] = []
        for entry in waiting {
            if entry.ticket <= watermark, entry.lane.map({ !blocked.contains($0) }) ?? true {
                released.append(entry.frame)
            } else {
                if let lane = entry.lane { blocked.insert(lane) }
                kept.append(entry)
            }
        }
        waiting = kept
        return released
    }

    /// Destroys what waits: the ciphertexts are never used again.
    package mutating func removeAll() -> [Frame] {
        defer { waiting = [] }
        return waiting.map(\.frame)
    }
}
