import Cryptography
import Transport

/// A stanza that a device has yet to acknowledge (09, section 15.4).
struct QueueItem: Sendable, Equatable {
    /// Position in the device's queue, rising.
    let order: UInt64
    /// World time of queueing, milliseconds.
    let time: Int64
    /// Without `offline`.
    let stanza: Stanza
    /// Whether it was written to the present connection.
    var isInFlight = false

    var id: String { stanza.id ?? "" }

    init(order: UInt64, time: Int64, stanza: Stanza) {
        self.order = order
        self.time = time
        self.stanza = stanza
    }

    /// From the store: time 8 bytes big-endian ‖ encoded stanza.
    init?(order: UInt64, stored: Bytes) {
        guard stored.count > 8, let stanza = try? StanzaCodec.decode(stanza: Bytes(stored[8...])) else { return nil }
        let time = stored[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        self.init(order: order, time: Int64(bitPattern: time), stanza: stanza)
    }

    /// What ``init(order:stored:)`` reads; `nil` for a stanza that cannot be encoded.
    var stored: Bytes? {
        guard let encoded = try? StanzaCodec.encode(stanza) else { return nil }
        let bits = UInt64(bitPattern: time)
        return (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) } + encoded
    }
}

/// The stanzas of one device that need acknowledgement, in the order in which they were accepted.
@SandboxActor
final class DeviceQueue {
    private var items: [UInt64: QueueItem] = [:]
    private var orders: [String: [UInt64]] = [:]
    private var nextOrder: UInt64 = 0
    /// No item is older than this position.
    private var floor: UInt64 = 0

    var count: Int { items.count }

    /// All items, oldest first.
    var ordered: [QueueItem] { items.values.sorted { $0.order < $1.order } }

    func append(_ stanza: Stanza, time: Int64) -> QueueItem {
        let item = QueueItem(order: nextOrder, time: time, stanza: stanza)
        restore(item)
        return item
    }

    /// Puts back an item that the store kept.
    func restore(_ item: QueueItem) {
        items[item.order] = item
        orders[item.id, default: []].append(item.order)
        nextOrder = max(nextOrder, item.order + 1)
    }

    func markInFlight(_ order: UInt64, _ flag: Bool) { items[order]?.isInFlight = flag }

    func resetInFlight() { for order in items.keys { items[order]?.isInFlight = false } }

    /// Takes out the oldest item.
    func removeOldest() -> QueueItem? {
        while floor < nextOrder {
            if let item = items[floor] { return remove(item) }
            floor += 1
        }
        return nil
    }

    /// Takes out the items with this stanza id that satisfy `matches`.
    func removeAll(id: String, where matches: (Stanza) -> Bool) -> [QueueItem] {
        let found = (orders[id] ?? []).compactMap { items[$0] }.filter { matches($0.stanza) }
        return found.compactMap { remove($0) }
    }

    /// Takes out what was not written to the present connection and satisfies `matches`.
    func removeWaiting(where matches: (Stanza) -> Bool) -> [QueueItem] {
        items.values.filter { !$0.isInFlight && matches($0.stanza) }.compactMap { remove($0) }
    }

    /// Takes out everything queued before `time`, milliseconds.
    func removeOlder(than time: Int64) -> [QueueItem] {
        items.values.filter { $0.time < time }.compactMap { remove($0) }
    }

    private func remove(_ item: QueueItem) -> QueueItem? {
        orders[item.id]?.removeAll { $0 == item.order }
        if orders[item.id]?.isEmpty == true { orders[item.id] = nil }
        return items.removeValue(forKey: item.order)
    }
}
