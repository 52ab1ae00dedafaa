import Storage
import Testing

@testable import Webhooks

@Suite("Dispatch schedule")
struct DispatchScheduleTests {
    /// The schedule as an object, which expectations can call.
    private final class Played {
        private var schedule: DispatchSchedule

        init(limits: DispatchSchedule.Limits) { schedule = DispatchSchedule(limits: limits) }

        var runningCount: Int { schedule.runningCount }
        func add(_ webhook: ReadyWebhook, now: Int64) { schedule.add(webhook, now: now) }
        func take(_ limit: Int, now: Int64) -> [Int64] { schedule.take(limit, now: now) }
        func moveSlow(now: Int64) -> Bool { schedule.moveSlow(now: now) }
        func request(of id: Int64, isWaiting: Bool, now: Int64) {
            schedule.request(of: id, isWaiting: isWaiting, now: now)
        }
        func finished(_ id: Int64, again: Bool, attempts: Int, now: Int64) {
            schedule.finished(id, again: again, attempts: attempts, now: now)
        }
    }

    private func webhook(_ id: Int64, tenant: Int64) -> ReadyWebhook { ReadyWebhook(id: id, tenantID: tenant) }

    @Test("tenants take turns: one with a thousand lanes does not go before one with a single lane")
    func turns() {
        let schedule = Played(limits: .init(capacity: 10, tenantCapacity: 10))
        for id in 1...1000 { schedule.add(webhook(Int64(id), tenant: 1), now: 0) }
        schedule.add(webhook(2001, tenant: 2), now: 0)
        schedule.add(webhook(3001, tenant: 3), now: 0)
        #expect(schedule.take(4, now: 0) == [1, 2001, 3001, 2])
    }

    @Test("a tenant has its share of the lanes and no more")
    func share() {
        let schedule = Played(limits: .init(capacity: 8, tenantCapacity: 3))
        for id in 1...20 { schedule.add(webhook(Int64(id), tenant: 1), now: 0) }
        #expect(schedule.take(64, now: 0) == [1, 2, 3])
        schedule.add(webhook(100, tenant: 2), now: 0)
        #expect(schedule.take(64, now: 0) == [100])
        schedule.finished(2, again: false, attempts: 1, now: 0)
        #expect(schedule.take(64, now: 0) == [4])
    }

    @Test("lanes of slow endpoints leave their places to others, up to a limit of their own")
    func slow() {
        let schedule = Played(
            limits: .init(capacity: 2, tenantCapacity: 10, slowCapacity: 3, slowAfterMilliseconds: 1000))
        for id in 1...9 { schedule.add(webhook(Int64(id), tenant: Int64(id)), now: 0) }
        #expect(schedule.take(64, now: 0) == [1, 2])
        for id in [Int64(1), 2] { schedule.request(of: id, isWaiting: true, now: 0) }
        #expect(!schedule.moveSlow(now: 999))
        #expect(schedule.take(64, now: 999).isEmpty)
        #expect(schedule.moveSlow(now: 1000))
        #expect(schedule.take(64, now: 1000) == [3, 4])
        for id in [Int64(3), 4] { schedule.request(of: id, isWaiting: true, now: 1000) }
        #expect(schedule.moveSlow(now: 2000))
        // Three slow lanes are all there may be: one place is free, not two.
        #expect(schedule.take(64, now: 2000).count == 1)
        #expect(schedule.runningCount == 5)
    }

    @Test("what comes in while a lane is worked on is worked on next, once")
    func again() {
        let schedule = Played(limits: .init())
        schedule.add(webhook(1, tenant: 1), now: 0)
        schedule.add(webhook(1, tenant: 1), now: 0)
        #expect(schedule.take(64, now: 0) == [1])
        schedule.add(webhook(1, tenant: 1), now: 0)
        schedule.add(webhook(1, tenant: 1), now: 0)
        #expect(schedule.take(64, now: 0).isEmpty)
        schedule.finished(1, again: false, attempts: 1, now: 0)
        #expect(schedule.take(64, now: 0) == [1])
        schedule.finished(1, again: false, attempts: 1, now: 0)
        #expect(schedule.take(64, now: 0).isEmpty)
        #expect(schedule.runningCount == 0)
    }

    @Test("a tenant's rate holds it back until its allowance fills, and nobody else")
    func rate() {
        let schedule = Played(limits: .init(tenantRate: 10))
        schedule.add(webhook(1, tenant: 1), now: 0)
        #expect(schedule.take(64, now: 0) == [1])
        // A burst of ten seconds' worth, and thirty more.
        schedule.finished(1, again: true, attempts: 130, now: 0)
        schedule.add(webhook(2, tenant: 2), now: 0)
        #expect(schedule.take(64, now: 0) == [2])
        #expect(schedule.take(64, now: 2900).isEmpty)
        #expect(schedule.take(64, now: 3100) == [1])
    }
}
