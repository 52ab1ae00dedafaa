import Storage

/// Which lanes are worked on next (11-webhooks, sections 6.1 and 6.3). Pure: time comes in as milliseconds of any clock.
///
/// Tenants take turns, so that none waits behind another's queue. A tenant has a share of the node's lanes and, where a
/// rate is set, of its requests. A lane whose endpoint is slow to answer leaves its place to others: slow lanes have
/// places of their own.
package struct DispatchSchedule: Sendable {
    package struct Limits: Sendable, Equatable {
        /// Lanes worked on at once.
        package var capacity: Int
        /// Lanes of one tenant, slow ones included.
        package var tenantCapacity: Int
        /// Lanes that wait for slow endpoints, beside `capacity`.
        package var slowCapacity: Int
        /// A lane is slow when one request has waited for so long.
        package var slowAfterMilliseconds: Int64
        /// Attempts per second of one tenant, with a burst of ten seconds' worth; nil for no limit.
        package var tenantRate: Double?

        package init(
            capacity: Int = 64, tenantCapacity: Int = 32, slowCapacity: Int = 256, slowAfterMilliseconds: Int64 = 1000,
            tenantRate: Double? = nil
        ) {
            self.capacity = max(1, capacity)
            self.tenantCapacity = max(1, tenantCapacity)
            self.slowCapacity = slowCapacity
            self.slowAfterMilliseconds = slowAfterMilliseconds
            self.tenantRate = tenantRate
        }
    }

    private enum Lane {
        case waiting
        /// `since`: when its request went out, nil between requests. `again`: more came in meanwhile.
        case running(since: Int64?, isSlow: Bool, again: Bool)
    }

    private struct Tenant {
        var waiting: [Int64] = []
        var running = 0
        /// Attempts left before the rate bites; may go below nothing.
        var allowance: Double
        var allowedAt: Int64
    }

    private let limits: Limits
    private var lanes: [Int64: (tenantID: Int64, lane: Lane)] = [:]
    private var tenants: [Int64: Tenant] = [:]
    /// Tenants with waiting lanes, in the order of their turns.
    private var turns: [Int64] = []
    private var quick = 0
    private var slow = 0

    package init(limits: Limits) { self.limits = limits }

    /// Lanes worked on now.
    package var runningCount: Int { quick + slow }

    /// Says that `webhook` has something to send.
    package mutating func add(_ webhook: ReadyWebhook, now: Int64) {
        switch lanes[webhook.id]?.lane {
        case .waiting: return
        case .running(let since, let isSlow, _):
            lanes[webhook.id]?.lane = .running(since: since, isSlow: isSlow, again: true)
        case nil:
            lanes[webhook.id] = (webhook.tenantID, .waiting)
            var tenant = tenants[webhook.tenantID] ?? Tenant(allowance: burst, allowedAt: now)
            if tenant.waiting.isEmpty { turns.append(webhook.tenantID) }
            tenant.waiting.append(webhook.id)
            tenants[webhook.tenantID] = tenant
        }
    }

    /// At most `limit` lanes to claim now. Each must come back through ``finished(_:again:attempts:now:)``.
    package mutating func take(_ limit: Int, now: Int64) -> [Int64] {
        var taken: [Int64] = []
        var passed: [Int64] = []
        while taken.count < limit, quick < limits.capacity, !turns.isEmpty {
            let tenantID = turns.removeFirst()
            guard var tenant = tenants[tenantID], let webhook = tenant.waiting.first else { continue }
            refill(&tenant, now)
            if tenant.running >= limits.tenantCapacity || (limits.tenantRate != nil && tenant.allowance <= 0) {
                passed.append(tenantID)
                tenants[tenantID] = tenant
                continue
            }
            tenant.waiting.removeFirst()
            tenant.running += 1
            if !tenant.waiting.isEmpty { turns.append(tenantID) }
            tenants[tenantID] = tenant
            lanes[webhook]?.lane = .running(since: nil, isSlow: false, again: false)
            quick += 1
            taken.append(webhook)
        }
        turns += passed
        return taken
    }

    /// A request of the lane goes out (`isWaiting`) or was answered.
    package mutating func request(of webhook: Int64, isWaiting: Bool, now: Int64) {
        guard case .running(_, let isSlow, let again) = lanes[webhook]?.lane else { return }
        lanes[webhook]?.lane = .running(since: isWaiting ? now : nil, isSlow: isSlow, again: again)
    }

    /// Moves lanes whose requests have waited too long to the places of the slow. True when that made room.
    package mutating func moveSlow(now: Int64) -> Bool {
        var moved = false
        for (webhook, entry) in lanes {
            guard slow < limits.slowCapacity else { break }
            guard case .running(let since?, false, let again) = entry.lane,
                now - since >= limits.slowAfterMilliseconds
            else { continue }
            lanes[webhook]?.lane = .running(since: since, isSlow: true, again: again)
            quick -= 1
            slow += 1
            moved = true
        }
        return moved
    }

    /// The lane was given back. With `again`, or when more came in meanwhile, it waits for its next turn.
    package mutating func finished(_ webhook: Int64, again: Bool, attempts: Int, now: Int64) {
        guard let entry = lanes.removeValue(forKey: webhook), case .running(_, let isSlow, let came) = entry.lane else {
            return
        }
        if isSlow { slow -= 1 } else { quick -= 1 }
        if var tenant = tenants[entry.tenantID] {
            tenant.running -= 1
            refill(&tenant, now)
            tenant.allowance -= Double(attempts)
            let isIdle = tenant.running == 0 && tenant.waiting.isEmpty && tenant.allowance >= burst
            tenants[entry.tenantID] = isIdle ? nil : tenant
        }
        if again || came { add(ReadyWebhook(id: webhook, tenantID: entry.tenantID), now: now) }
    }

    /// Forgets tenants that have had nothing to send for as long as their allowance took to fill.
    package mutating func forgetIdle(now: Int64) {
        for (id, tenant) in tenants where tenant.running == 0 && tenant.waiting.isEmpty {
            var tenant = tenant
            refill(&tenant, now)
            if tenant.allowance >= burst { tenants[id] = nil }
        }
    }

    private var burst: Double { (limits.tenantRate ?? 0) * 10 }

    private func refill(_ tenant: inout Tenant, _ now: Int64) {
        guard let rate = limits.tenantRate else { return tenant.allowance = burst }
        tenant.allowance = min(burst, tenant.allowance + Double(max(0, now - tenant.allowedAt)) / 1000 * rate)
        tenant.allowedAt = now
    }
}
