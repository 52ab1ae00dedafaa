/// Decides which caller gets which connection, when to open one and when to close one. No clock and no I/O inside.
///
/// Callers wait first come, first served. Idle connections are used last in, first out, so that a quiet pool lets the
/// rest go.
struct PoolStateMachine<Member: Hashable, Waiter> {
    enum Acquisition {
        case use(Member)
        /// The waiter is queued under this number; open another connection when `open`.
        case wait(number: UInt64, open: Bool)
        case refused
    }

    enum Placement {
        case handOver(Member, to: Waiter)
        case park(Member)
        case close(Member)
    }

    enum Reopening: Equatable {
        case nothing
        /// Try again after this delay.
        case openAfter(Duration)
        case openNow
    }

    private let limit: Int
    private let minimum: Int
    private var idle: [Member] = []
    private var leased: Set<Member> = []
    private var opening = 0
    private var waiters: [(number: UInt64, waiter: Waiter)] = []
    private var waiterCount: UInt64 = 0
    private var failures = 0
    /// Fewest connections that were idle at once since the last trim.
    private var fewestIdle = 0
    private(set) var isShutdown = false

    init(limit: Int, minimum: Int) {
        self.limit = limit
        self.minimum = minimum
    }

    func isLeased(_ member: Member) -> Bool { leased.contains(member) }

    var idleCount: Int { idle.count }
    var leasedCount: Int { leased.count }
    var waitingCount: Int { waiters.count }
    /// Open connections and those being opened.
    var total: Int { idle.count + leased.count + opening }

    mutating func acquire(_ waiter: () -> Waiter) -> Acquisition {
        if isShutdown { return .refused }
        if waiters.isEmpty, let member = idle.popLast() {
            leased.insert(member)
            fewestIdle = min(fewestIdle, idle.count)
            return .use(member)
        }
        waiterCount += 1
        waiters.append((waiterCount, waiter()))
        // While opening fails, one attempt at a time with growing pauses is enough.
        let open = total < limit && opening < waiters.count && (failures == 0 || opening == 0)
        if open { opening += 1 }
        return .wait(number: waiterCount, open: open)
    }

    /// An attempt to open succeeded.
    mutating func opened(_ member: Member) -> Placement {
        opening -= 1
        failures = 0
        return place(member)
    }

    /// An attempt to open failed. `openAfter` keeps the attempt reserved: answer with ``retryOpening()`` when it is due.
    mutating func openFailed() -> Reopening {
        failures += 1
        if isShutdown || (waiters.isEmpty && total > minimum) {
            opening -= 1
            return .nothing
        }
        let exponent = min(failures - 1, 6)
        return .openAfter(.milliseconds(min(5000, 100 << exponent)))
    }

    /// The pause after a failed attempt is over: true when a connection is still wanted.
    mutating func retryOpening() -> Bool {
        if isShutdown || (waiters.isEmpty && total > minimum) {
            opening -= 1
            return false
        }
        return true
    }

    mutating func released(_ member: Member, reusable: Bool) -> (placement: Placement, reopening: Reopening) {
        leased.remove(member)
        if reusable { return (place(member), .nothing) }
        return (.close(member), replacement())
    }

    /// A connection broke, idle or in use.
    mutating func broke(_ member: Member) -> Reopening {
        guard let index = idle.firstIndex(of: member) else { return .nothing }
        idle.remove(at: index)
        fewestIdle = min(fewestIdle, idle.count)
        return replacement()
    }

    /// The waiter if it still waits; nil when it got its connection meanwhile.
    mutating func withdraw(_ number: UInt64) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.number == number }) else { return nil }
        return waiters.remove(at: index).waiter
    }

    /// Takes out the connections that nobody needed since the last call, down to the minimum.
    mutating func trim() -> [Member] {
        defer { fewestIdle = idle.count }
        let spare = min(fewestIdle, idle.count, max(0, total - minimum))
        guard spare > 0 else { return [] }
        let unused = Array(idle.prefix(spare))
        idle.removeFirst(spare)
        return unused
    }

    mutating func shutdown() -> (close: [Member], refuse: [Waiter]) {
        isShutdown = true
        defer {
            idle = []
            waiters = []
        }
        return (idle, waiters.map(\.waiter))
    }

    private mutating func place(_ member: Member) -> Placement {
        if isShutdown { return .close(member) }
        if waiters.isEmpty {
            idle.append(member)
            return .park(member)
        }
        leased.insert(member)
        return .handOver(member, to: waiters.removeFirst().waiter)
    }

    private mutating func replacement() -> Reopening {
        guard !isShutdown, total < limit, waiters.count > opening || total < minimum else { return .nothing }
        guard failures == 0 || opening == 0 else { return .nothing }
        opening += 1
        return .openNow
    }
}
