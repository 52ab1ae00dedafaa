/// One rule of the fault engine: when it applies, what it does, and how often (09-sandbox-server, section 23).
package struct FaultRule: Sendable, Equatable {
    /// Given by the engine in creation order.
    package var id: Int
    package var match: FaultMatch
    package var effect: FaultEffect
    /// How many more times the rule may fire; nil is without end.
    package var remaining: Int?
    /// How many matches still pass untouched before the first firing.
    package var skip: Int
    /// 0…1, drawn from the world's generator at each match.
    package var probability: Double
    /// World time in Unix seconds after which the rule is spent; nil is never.
    package var until: Int64?
    /// How often it fired.
    package var hits: Int

    package init(
        id: Int = 0, match: FaultMatch = FaultMatch(), effect: FaultEffect, count: Int? = 1, skip: Int = 0,
        probability: Double = 1, until: Int64? = nil, hits: Int = 0
    ) {
        self.id = id
        self.match = match
        self.effect = effect
        self.remaining = count
        self.skip = skip
        self.probability = probability
        self.until = until
        self.hits = hits
    }

    /// Reads `{match, action, count, skip, probability, until}`; `count` 0 or `null` means without end, absent means 1, and
    /// without end for effects on a whole connection.
    package init(json: JSONValue) throws {
        guard let members = json.objectValue, let action = members["action"] else {
            throw FaultEffect.ParsingError.malformed("a rule needs an action")
        }
        let effect = try FaultEffect(json: action)
        var count: Int? = effect.isLasting ? nil : 1
        switch members["count"] {
        case nil: break
        case .null?: count = nil
        case let value?:
            guard let number = value.intValue, (0...1_000_000).contains(number) else {
                throw FaultEffect.ParsingError.malformed("count is a number from 0 to 1000000")
            }
            count = number == 0 ? nil : Int(number)
        }
        let probability: Double
        switch members["probability"] {
        case nil: probability = 1
        case .double(let value)? where (0...1).contains(value): probability = value
        case .int(let value)? where (0...1).contains(value): probability = Double(value)
        default: throw FaultEffect.ParsingError.malformed("probability is a number from 0 to 1")
        }
        guard let skip = (members["skip"] ?? .int(0)).intValue, (0...1_000_000).contains(skip) else {
            throw FaultEffect.ParsingError.malformed("skip is a number from 0 to 1000000")
        }
        self.init(
            match: try FaultMatch(json: members["match"] ?? .object([:])), effect: effect,
            count: count, skip: Int(skip), probability: probability, until: members["until"]?.intValue)
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "id": .number(id), "match": match.json, "action": effect.json,
            "remaining": remaining.map { .number($0) } ?? .null, "skip": .number(skip),
            "probability": .double(probability), "hits": .number(hits),
        ]
        if let until { members["until"] = .int(until) }
        return .object(members)
    }

    /// Whether the rule can still fire at world time `now`, Unix seconds.
    package func isLive(at now: Int64) -> Bool {
        remaining != 0 && (until.map { now < $0 } ?? true)
    }
}
