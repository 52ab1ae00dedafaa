import Cryptography

/// Makes the ids of requests: `A.B-N` with two random bytes in decimal, drawn once, and a counter from 1 that goes on
/// across reconnects (01-transport, section 14.1). Message ids are different.
package struct StanzaIDGenerator: Sendable {
    private let prefix: String
    private var counter: UInt64 = 0

    package init(random: some RandomSource) {
        let bytes = random.bytes(2)
        prefix = "\(bytes[0]).\(bytes[1])-"
    }

    package mutating func next() -> String {
        counter += 1
        return prefix + String(counter)
    }
}
