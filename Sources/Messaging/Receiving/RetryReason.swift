/// Reason codes of a `<retry error>` (03-signal, section 11). A hint only.
package enum RetryReason: Int, Sendable {
    case unknown = 0
    case noSession = 1
    case invalidKey = 2
    case invalidKeyID = 3
    case invalidMessage = 4
    case invalidSignature = 5
    case futureMessage = 6
    case badMAC = 7
    case invalidSession = 8
    case unknownCompanion = 11
}
