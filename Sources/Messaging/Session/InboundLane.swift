import DequeModule
import Transport

/// Received stanzas of the durable class in arrival order, handled one at a time (16-performance-durability, section 2.1).
struct InboundLane {
    struct Entry {
        var stanza: Stanza
        var linkNumber: UInt64
        var size: Int
    }

    private var entries: Deque<Entry> = []
    private(set) var bytes = 0
    var isRunning = false
    /// Failures of one stanza that make it poison (04, section 13.7).
    private static let poison = 3
    /// How often handling of one stanza failed in a row.
    private var failures: [String: Int] = [:]
    /// Name of the stanza that is being handled.
    var handling: String?

    var count: Int { entries.count }

    mutating func append(_ stanza: Stanza, linkNumber: UInt64) {
        let size = stanza.approximateSize
        entries.append(Entry(stanza: stanza, linkNumber: linkNumber, size: size))
        bytes += size
    }

    mutating func next() -> Entry? {
        guard let entry = entries.popFirst() else {
            entries = []
            return nil
        }
        bytes -= entry.size
        return entry
    }

    /// Notes that handling `id` failed; returns whether it is poison now.
    mutating func failed(_ id: String) -> Bool {
        if failures.count > 64 { failures = [:] }
        failures[id, default: 0] += 1
        return isPoison(id)
    }

    /// The store refuses what handling `id` wrote: no repetition cures that.
    mutating func refuse(_ id: String) {
        if failures.count > 64 { failures = [:] }
        failures[id] = Self.poison
    }

    func isPoison(_ id: String) -> Bool { failures[id, default: 0] >= Self.poison }

    mutating func handled(_ id: String) {
        if !failures.isEmpty { failures[id] = nil }
    }

    mutating func removeAll() {
        entries = []
        bytes = 0
    }
}

extension Stanza {
    /// Bytes it holds, roughly.
    var approximateSize: Int {
        switch content {
        case .none: 64
        case .bytes(let bytes): 64 + bytes.count
        case .text(let text): 64 + text.utf8.count
        case .jid: 96
        case .children(let children): children.reduce(64) { $0 + $1.approximateSize }
        }
    }
}
