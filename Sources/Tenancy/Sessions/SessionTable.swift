import Messaging
import Storage

/// The sessions of a node, each under the epoch of its lease. A device has one entry from before its lease is claimed until
/// after it is given up, so that nothing about it happens twice at once.
struct SessionTable {
    /// A start under way. The epoch is known once the lease is claimed.
    struct Start {
        let number: UInt64
        var epoch: Int64?
    }

    enum Entry {
        case starting(Task<any DeviceClient, any Error>, Start)
        case running(any DeviceClient, epoch: Int64)
        /// Being stopped and released; the next start waits for it.
        case ending(Task<Void, Never>, number: UInt64)
    }

    private(set) var entries: [Int64: Entry] = [:]
    private var lastNumber: UInt64 = 0

    /// Devices that run or start.
    var count: Int {
        entries.values.count { if case .ending = $0 { false } else { true } }
    }

    /// The session of a device, unless its lease was lost: then another start is due.
    func usable(_ did: Int64) -> (any DeviceClient)? {
        guard case .running(let session, _)? = entries[did], session.state.end != .leaseLost else { return nil }
        return session
    }

    func epoch(_ did: Int64) -> Int64? {
        switch entries[did] {
        case .running(_, let epoch): epoch
        case .starting(_, let start): start.epoch
        case .ending, nil: nil
        }
    }

    /// What is held, as far as it is known.
    var held: [HeldLease] {
        entries.keys.compactMap { did in epoch(did).map { HeldLease(did: did, epoch: $0) } }
    }

    mutating func begin(_ did: Int64, _ make: (UInt64) -> Task<any DeviceClient, any Error>, epoch: Int64?)
        -> Task<any DeviceClient, any Error>
    {
        lastNumber += 1
        let task = make(lastNumber)
        entries[did] = .starting(task, Start(number: lastNumber, epoch: epoch))
        return task
    }

    /// False when start `number` was superseded.
    mutating func claimed(_ did: Int64, epoch: Int64, number: UInt64) -> Bool {
        guard case .starting(let task, var start)? = entries[did], start.number == number else { return false }
        start.epoch = epoch
        entries[did] = .starting(task, start)
        return true
    }

    /// False when start `number` was superseded.
    mutating func started(_ did: Int64, _ session: any DeviceClient, epoch: Int64, number: UInt64) -> Bool {
        guard case .starting(_, let start)? = entries[did], start.number == number else { return false }
        entries[did] = .running(session, epoch: epoch)
        return true
    }

    /// Removes the entry of a start that failed, or of an end that is through.
    mutating func finished(_ did: Int64, number: UInt64) {
        switch entries[did] {
        case .starting(_, let start) where start.number == number: entries[did] = nil
        case .ending(_, number): entries[did] = nil
        default: break
        }
    }

    /// Makes a start superseded: its session is closed when it has started. False when there is none.
    mutating func supersede(_ did: Int64) -> Bool {
        guard case .starting? = entries[did] else { return false }
        entries[did] = nil
        return true
    }

    /// Turns a running session into one that ends; nil when it does not run under that epoch.
    mutating func end(_ held: HeldLease, _ make: (any DeviceClient, UInt64) -> Task<Void, Never>) -> Task<Void, Never>?
    {
        guard case .running(let session, held.epoch)? = entries[held.did] else { return nil }
        lastNumber += 1
        let task = make(session, lastNumber)
        entries[held.did] = .ending(task, number: lastNumber)
        return task
    }
}

extension ConnectionState {
    /// Whether the session object is of no more use although its device is as it was.
    var hasDied: Bool {
        switch end {
        case .leaseLost, .storage: true
        default: false
        }
    }
}
