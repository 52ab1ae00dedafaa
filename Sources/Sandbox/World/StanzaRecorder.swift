import DequeModule
import Transport

/// The stanza log of a world: a ring of the newest stanzas of every connection, for `GET /v1/log`.
@SandboxActor
package final class StanzaRecorder {
    package enum Direction: String, Sendable { case clientToServer = "c2s", serverToClient = "s2c" }

    package struct Entry: Sendable {
        /// Global order of arrival and departure.
        package let sequence: UInt64
        /// World time, milliseconds since 1970.
        package let time: Int64
        package let direction: Direction
        package let connection: Int
        package let account: String?
        package let device: Int?
        package let stanza: Stanza
    }

    private let clock: SandboxClock
    private var entries: Deque<Entry> = []
    private var sequence: UInt64 = 0
    /// Entries kept; 0 switches the log off.
    package var limit: Int {
        didSet { while entries.count > max(0, limit) { entries.removeFirst() } }
    }

    package init(clock: SandboxClock, limit: Int) {
        self.clock = clock
        self.limit = limit
    }

    package func record(
        _ direction: Direction, _ stanza: Stanza, connection: Int, account: String?, device: Int?
    ) {
        guard limit > 0 else { return }
        sequence += 1
        if entries.count >= limit { entries.removeFirst() }
        entries.append(
            Entry(
                sequence: sequence, time: clock.milliseconds, direction: direction, connection: connection,
                account: account, device: device, stanza: Self.cut(stanza)))
    }

    /// Children of one node that are kept: a prekey upload has 812, and the log would hold thousands of them.
    private static let childLimit = 32

    private static func cut(_ stanza: Stanza) -> Stanza {
        guard case .children(let children) = stanza.content else { return stanza }
        var copy = stanza
        copy.content = .children(children.prefix(childLimit).map(cut))
        if children.count > childLimit { copy["children-left-out"] = String(children.count - childLimit) }
        return copy
    }

    /// Kept entries, oldest first, at most `limit` of the newest.
    package func entries(account: String? = nil, device: Int? = nil, limit: Int = 1000) -> [Entry] {
        let matching = entries.filter {
            (account == nil || $0.account == account) && (device == nil || $0.device == device)
        }
        return Array(matching.suffix(limit))
    }
}
