import Cryptography

/// What a client sends before its first frame (01-transport, section 4.1).
///
/// ```
/// [ "ED" 00 01  len(3, big-endian)  routing info ]     optional, not part of the Noise prologue
///   "WA" 06 03                                         magic 6, dictionary version 3; the Noise prologue
/// ```
package enum Intro {
    /// `57 41 06 03`.
    package static let header: Bytes = [0x57, 0x41, 0x06, TokenTable.dictionaryVersion]

    /// `45 44 00 01`, in front of the routing info's length.
    private static let routingMagic: Bytes = [0x45, 0x44, 0x00, 0x01]

    /// Most bytes of routing info that are sent or accepted.
    package static let maximumRoutingInfo = 1024

    /// The intro with the edge-routing preamble for `routingInfo`, if there is any of a sensible size.
    package static func bytes(routingInfo: Bytes?) -> Bytes {
        guard let routingInfo, !routingInfo.isEmpty, routingInfo.count <= maximumRoutingInfo else { return header }
        let count = routingInfo.count
        let length = [
            UInt8(truncatingIfNeeded: count >> 16), UInt8(truncatingIfNeeded: count >> 8),
            UInt8(truncatingIfNeeded: count),
        ]
        return routingMagic + length + routingInfo + header
    }
}
