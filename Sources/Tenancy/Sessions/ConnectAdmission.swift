/// Decides when connections may begin, so that a restart, a take-over or a lost network do not turn into a storm
/// (16-performance-durability, section 7.2). Pure: the caller brings the time and starts what is admitted.
///
/// Three bounds hold at once: a rate for the process, one for each proxy, and handshakes under way on each loop. Whoever somebody waits for, a
/// pairing or a reconnect through the API, goes first and has a quarter of the handshakes to itself. When too many attempts
/// fail the rate is halved, and grows again by a tenth each second.
package struct ConnectAdmission: Sendable {
    package struct Limits: Sendable {
        /// Connections that begin in a second, and at once after a quiet time.
        package var rate = 125.0
        package var burst = 50.0
        /// Handshakes under way on one loop.
        package var perLoop = 32
        /// Connections that begin in a second through one proxy, and at once after a quiet time.
        package var perExit = 10.0
        /// The rate never falls below this.
        package var minimumRate = 5.0

        package init() {}
    }

    /// One that asks: the number it is known by, its loop, and its proxy.
    private struct Waiting {
        var id: UInt64
        var loop: Int
        var exit: String?
    }

    /// What a proxy may still begin.
    private struct Exit {
        var tokens: Double
        var at: Double

        mutating func refill(_ now: Double, rate: Double) {
            tokens = min(rate, tokens + max(0, now - at) * rate)
            at = now
        }
    }

    private let limits: Limits
    private var rate: Double
    private var tokens: Double
    private var refilledAt: Double
    private var urgent: [Waiting] = []
    private var ordinary: [Waiting] = []
    private var underWay: [Int: Int] = [:]
    /// Proxies that began something lately.
    private var exits: [String: Exit] = [:]
    /// Outcomes of the latest attempts: true is a failure.
    private var outcomes: [Bool] = []
    private var halvedAt = -Double.infinity

    /// One token, but for the rounding of the time that it takes to grow.
    private static let whole = 1 - 1e-6
    private static let window = 50
    private static let failureShare = 0.2

    /// - Parameter now: Seconds on any clock that only grows.
    package init(limits: Limits = Limits(), now: Double) {
        self.limits = limits
        rate = limits.rate
        tokens = limits.burst
        refilledAt = now
    }

    /// How many wait.
    package var waitingCount: Int { urgent.count + ordinary.count }

    /// - Parameter exit: What names the proxy that the connection goes through; nil when it goes through none of its own.
    package mutating func enqueue(id: UInt64, loop: Int, exit: String? = nil, isUrgent: Bool) {
        let waiting = Waiting(id: id, loop: loop, exit: exit)
        if isUrgent { urgent.append(waiting) } else { ordinary.append(waiting) }
    }

    /// A handshake ended.
    package mutating func finished(loop: Int, hasFailed: Bool, now: Double) {
        underWay[loop] = max(0, (underWay[loop] ?? 0) - 1)
        outcomes.append(hasFailed)
        if outcomes.count > Self.window { outcomes.removeFirst(outcomes.count - Self.window) }
        guard hasFailed, outcomes.count == Self.window, now - halvedAt >= 1 else { return }
        if Double(outcomes.count { $0 }) > Self.failureShare * Double(Self.window) {
            refill(now)
            rate = max(limits.minimumRate, rate / 2)
            halvedAt = now
        }
    }

    /// Those that may begin now, and after how many seconds to ask again when some must wait for the rate.
    package mutating func admit(now: Double) -> (begin: [UInt64], retryAfter: Double?) {
        refill(now)
        let first = take(from: \.urgent, perLoop: limits.perLoop)
        let others = take(from: \.ordinary, perLoop: max(1, limits.perLoop / 4 * 3))
        if waitingCount == 0 { return (first + others, nil) }
        let ofRate = tokens < Self.whole ? (1 - tokens) / rate : nil
        return (first + others, [ofRate, exitWait()].compactMap { $0 }.min())
    }

    private mutating func take(from queue: WritableKeyPath<Self, [Waiting]>, perLoop: Int) -> [UInt64] {
        guard tokens >= Self.whole, !self[keyPath: queue].isEmpty else { return [] }
        var begin: [UInt64] = []
        var left: [Waiting] = []
        for waiting in self[keyPath: queue] {
            if tokens >= Self.whole, underWay[waiting.loop] ?? 0 < perLoop, takeExit(waiting.exit) {
                tokens -= 1
                underWay[waiting.loop, default: 0] += 1
                begin.append(waiting.id)
            } else {
                left.append(waiting)
            }
        }
        self[keyPath: queue] = left
        return begin
    }

    private mutating func takeExit(_ exit: String?) -> Bool {
        guard let exit else { return true }
        var known = exits[exit] ?? Exit(tokens: limits.perExit, at: refilledAt)
        guard known.tokens >= Self.whole else { return false }
        known.tokens -= 1
        exits[exit] = known
        return true
    }

    /// Seconds until the first of those that wait for their proxy may begin.
    private func exitWait() -> Double? {
        [urgent, ordinary].joined().compactMap { waiting -> Double? in
            guard let known = waiting.exit.flatMap({ exits[$0] }), known.tokens < Self.whole else { return nil }
            return (1 - known.tokens) / limits.perExit
        }.min()
    }

    private mutating func refill(_ now: Double) {
        let passed = max(0, now - refilledAt)
        refilledAt = now
        if rate < limits.rate { rate = min(limits.rate, rate * (1 + 0.1 * min(passed, 60))) }
        tokens = min(limits.burst, tokens + passed * rate)
        for name in exits.keys { exits[name]?.refill(now, rate: limits.perExit) }
        exits = exits.filter { $0.value.tokens < limits.perExit }
    }
}
