import Foundation
import TestSupport

/// How much is sent and how much goes wrong. `scripts/chaos` gives the full size through the environment.
struct ChaosPlan: Sendable {
    /// Messages from each of the four senders: two devices and two phones.
    var messages = 12
    /// SIGKILLs to the gateway, to PostgreSQL, and resets of a device's socket.
    var nodeKills = 2
    var databaseKills = 1
    var cuts = 2
    var seed: UInt64 = 1
    /// Where to write the result as JSON; nil writes none.
    var resultPath: String?

    enum Blow: Sendable, Equatable { case node, database, cut }

    static func fromEnvironment() -> ChaosPlan {
        let environment = ProcessInfo.processInfo.environment
        func number(_ name: String) -> Int? { environment["SWITCHBOARD_CHAOS_\(name)"].flatMap { Int($0) } }
        var plan = ChaosPlan()
        plan.messages = number("MESSAGES") ?? plan.messages
        plan.nodeKills = number("KILLS") ?? plan.nodeKills
        plan.databaseKills = number("POSTGRES_KILLS") ?? plan.databaseKills
        plan.cuts = number("CUTS") ?? plan.cuts
        plan.seed = number("SEED").map { UInt64(truncatingIfNeeded: $0) } ?? plan.seed
        plan.resultPath = environment["SWITCHBOARD_CHAOS_RESULT"]
        return plan
    }

    var total: Int { messages * 4 }

    /// The blows in their order, each with the number of accepted messages at which it falls.
    func blows() -> [(at: Int, blow: Blow)] {
        var random = Dice(seed)
        let all =
            Array(repeating: Blow.node, count: nodeKills) + Array(repeating: .database, count: databaseKills)
            + Array(repeating: .cut, count: cuts)
        let moments = all.map { _ in random.below(total * 9 / 10) }.sorted()
        return Array(zip(moments, all.shuffled(using: &random)))
    }
}
