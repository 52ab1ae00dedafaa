import Foundation
import TestSupport
import Testing

/// Where sending chains go on after the process that used them is gone (16-performance-durability, section 1.12, the second
/// test): the server sees every counter, since it travels in the clear.
@Suite("Chain positions across processes", .serialized, .timeLimit(.minutes(20)))
struct PositionTests {
    private static let phone = "12025550500"
    private static let friend = "12025550501"
    /// Positions of a block that a crash may skip, and what an early extension adds to it.
    private static let longestGap = 64 + 16

    @Test("after SIGKILL a chain goes on at the end of its block, after a clean stop where it was, and never twice")
    func positions() async throws {
        try await withDirectory { directory in
            let world = try await ChaosWorld.start(in: directory)
            do {
                try await Self.run(world)
            } catch {
                print(await world.logTail())
                await world.abort()
                throw error
            }
            #expect(try await world.stop() == 0)
        }
    }

    private static func run(_ world: ChaosWorld) async throws {
        let account = try await world.sandbox.post("/accounts", ["phone": friend, "push_name": "Friend"])
        #expect(account.status < 300, "\(account.text)")
        let tenant = try await world.admin.post(
            "/admin/api-keys", ["customer_name": "Harbour", "max_devices": 2, "rate_limit_per_hour": 1_000_000])
        let key = try #require(tenant.json["data"]["api_key"].string, "\(tenant.text)")
        let device = try await ClusterDevice.link(phone, key: key, through: world.api, world: world.sandbox)
        let made = try await world.sandbox.post(
            "/groups", ["creator": phone, "subject": "Harbour", "participants": [friend]])
        let group = try #require(made.json["jid"].string, "\(made.text)")
        let chains = [Chain(chat: friend, receiver: "\(friend):0"), Chain(chat: group, receiver: group)]
        var number = 0
        /// One more message in every chain; returns its counter in each.
        func sendOne() async throws -> [Int] {
            number += 1
            var counters: [Int] = []
            for chain in chains {
                try await device.send(
                    "text \(number)", to: chain.chat, key: "\(chain.chat) \(number)", through: world.api)
                counters.append(try #require(try await positions(of: chain, world).last))
            }
            return counters
        }

        // Blocks of 4, then 16, the second one taken early: six messages stand in 0..<20.
        for expected in 0..<6 { #expect(try await sendOne() == [expected, expected]) }
        try await world.killNode()
        try await device.waitForLogin(through: world.api)
        #expect(try await sendOne() == [20, 20])

        // A clean stop gives the rest of the block back.
        #expect(try await world.restartNode() == 0)
        try await device.waitForLogin(through: world.api)
        #expect(try await sendOne() == [21, 21])
        for expected in 22..<27 { #expect(try await sendOne() == [expected, expected]) }

        // Killed at any moment under load, again and again.
        for round in 0..<3 {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for chain in chains {
                    for index in 0..<8 {
                        tasks.addTask {
                            try await device.sendThrough(
                                "load \(round) \(index)", to: chain.chat, key: "\(chain.chat) \(round) \(index)", world)
                        }
                    }
                }
                tasks.addTask { try await world.killNode() }
                try await tasks.waitForAll()
            }
        }
        #expect(try await world.restartNode() == 0)
        try await device.waitForLogin(through: world.api)
        let before = try await last(chains, world)
        #expect(try await sendOne() == before.map { $0 + 1 })

        for chain in chains {
            let counters = try await positions(of: chain, world)
            #expect(Set(counters).count == counters.count, "\(chain.receiver): \(counters)")
            for (one, next) in zip(counters, counters.dropFirst()) {
                #expect(next > one && next - one <= longestGap, "\(chain.receiver): \(counters)")
            }
        }
        let checks = try await world.sandbox.get("/checks").json
        #expect(checks["key_reuse"].int == 0, "\(checks)")
        #expect(checks["positions_checked"].int ?? 0 > 0, "\(checks)")
    }

    private struct Chain {
        let chat: String
        /// As the sandbox names it.
        let receiver: String
    }

    private static func last(_ chains: [Chain], _ world: ChaosWorld) async throws -> [Int] {
        var last: [Int] = []
        for chain in chains { last.append(try #require(try await positions(of: chain, world).last)) }
        return last
    }

    /// Counters in the newest chain of the linked device to `chain`, in the order of their first use.
    private static func positions(of chain: Chain, _ world: ChaosWorld) async throws -> [Int] {
        let seen = try await world.sandbox.get("/checks/positions?receiver=\(chain.receiver)").json.array.filter {
            $0["sender"].string?.hasPrefix("\(phone):") == true && $0["sender"].string != "\(phone):0"
        }
        let newest = seen.last?["chain"].string
        return seen.filter { $0["chain"].string == newest }.compactMap { $0["counter"].int }
    }
}

extension ClusterDevice {
    /// As `send`, through whatever gateway runs now.
    fileprivate func sendThrough(_ text: String, to chat: String, key: String, _ world: ChaosWorld) async throws {
        _ = try await eventually("sending \(text)", within: .seconds(180)) {
            let answer = try? await on(world.api).post(
                "/chats/\(chat)/messages", ["text": text], headers: ["Idempotency-Key": key])
            return answer.map { [200, 202].contains($0.status) } == true ? true : nil
        }
    }
}
