/// The shape of an event's `data`, as `GET /webhook-events` tells it, to hold what really comes against it.
package struct EventShape: Sendable {
    package struct Member: Sendable {
        package let name: String
        package let type: String
        package let isOptional: Bool

        package init(name: String, type: String, isOptional: Bool) {
            self.name = name
            self.type = type
            self.isOptional = isOptional
        }
    }

    package let event: String
    package let members: [Member]

    package init(event: String, members: [Member]) {
        self.event = event
        self.members = members
    }

    /// Reads an entry of the list.
    package init(_ entry: JSON) {
        event = entry["name"].string ?? ""
        members = entry["members"].array.map {
            Member(
                name: $0["name"].string ?? "", type: $0["type"].string ?? "", isOptional: $0["optional"].bool ?? false)
        }
    }

    /// What is missing, what is too much, and what is of the wrong type.
    package func problems(in data: JSON) -> [String] {
        guard data.isObject else { return ["\(event): data is no object"] }
        var problems: [String] = []
        for member in members where !data.keys.contains(member.name) && !member.isOptional {
            problems.append("\(event) lacks \(member.name)")
        }
        for key in data.keys {
            guard let member = members.first(where: { $0.name == key }) else {
                problems.append("\(event) has \(key), which the catalogue has not")
                continue
            }
            if !Self.fits(data[key], member.type) {
                problems.append("\(event): \(key) is no \(member.type): \(data[key])")
            }
        }
        return problems
    }

    private static func fits(_ value: JSON, _ type: String) -> Bool {
        switch type {
        case "string": value.string != nil
        case "bool": value.bool != nil
        case "int": value.int != nil
        case "unix_s": value.int.map { (946_684_800...4_102_444_800).contains($0) } ?? false
        case "rfc3339":
            value.string?.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/#) != nil
        case "object": value.isObject
        case let list where list.hasSuffix("[]"):
            value.isArray && value.array.allSatisfy { fits($0, String(list.dropLast(2))) }
        case let choice where choice.hasSuffix("|null"): value.isNull || fits(value, String(choice.dropLast(5)))
        default: false
        }
    }
}
