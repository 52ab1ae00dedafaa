/// The fault rules of one world, asked at fixed hook points (09-sandbox-server, section 23).
///
/// A value without clock or random source: the caller passes the time and a drawn number. Rules are evaluated in the
/// order of their creation, and every rule that matches and fires contributes its effect.
package struct FaultEngine: Sendable {
    /// A rule that fired, with what is to be done.
    package struct Firing: Sendable, Equatable {
        package let rule: Int
        package let effect: FaultEffect
    }

    package private(set) var rules: [FaultRule] = []
    private var nextID = 1

    package init() {}

    /// Rules stored earlier, as a snapshot gives them back.
    package init(rules: [FaultRule]) {
        self.rules = rules
        nextID = (rules.map(\.id).max() ?? 0) + 1
    }

    /// Whether nothing can fire: the cheap question of hot paths.
    package var isEmpty: Bool { rules.isEmpty }

    /// Takes a rule in and returns it with its id.
    @discardableResult
    package mutating func add(_ rule: FaultRule) -> FaultRule {
        var rule = rule
        rule.id = nextID
        nextID += 1
        rules.append(rule)
        return rule
    }

    /// Returns false when there is no rule with this id.
    package mutating func remove(_ id: Int) -> Bool {
        guard let index = rules.firstIndex(where: { $0.id == id }) else { return false }
        rules.remove(at: index)
        return true
    }

    package mutating func removeAll() { rules.removeAll() }

    /// What the rules do to `subject` at world time `now` (Unix seconds). `draw` yields numbers from 0 up to 1 and is asked
    /// only by rules with a probability below 1. A spent rule stays listed, with its count of hits.
    package mutating func fire(on subject: FaultSubject, now: Int64, draw: () -> Double) -> [Firing] {
        var firings: [Firing] = []
        for index in rules.indices {
            guard rules[index].isLive(at: now), rules[index].effect.belongs(to: subject.stage),
                rules[index].match.matches(subject)
            else { continue }
            if rules[index].skip > 0 {
                rules[index].skip -= 1
                continue
            }
            if rules[index].probability < 1, draw() >= rules[index].probability { continue }
            if let remaining = rules[index].remaining { rules[index].remaining = remaining - 1 }
            rules[index].hits += 1
            firings.append(Firing(rule: rules[index].id, effect: rules[index].effect))
        }
        return firings
    }
}

extension FaultRule: Codable {
    package init(from decoder: any Decoder) throws {
        let json = try JSONValue(from: decoder)
        try self.init(json: json)
        id = json["id"]?.intValue.flatMap { Int(exactly: $0) } ?? 0
        hits = json["hits"]?.intValue.flatMap { Int(exactly: $0) } ?? 0
        remaining = json["remaining"]?.intValue.flatMap { Int(exactly: $0) }
    }

    package func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }
}
