/// Ids of requests: `A.B-N` with two random bytes in decimal and a counter that outlives reconnects
/// (01-transport, section 14.1). The dot and the dash keep them apart from message ids.
package struct StanzaIDs: Sendable {
    private let prefix: String
    private var counter: UInt64 = 0

    package init(random: [UInt8]) { prefix = random.prefix(2).map(String.init).joined(separator: ".") }

    package mutating func next() -> String {
        counter += 1
        return "\(prefix)-\(counter)"
    }
}
