import Cryptography
import HTTPTypes

/// The opening of a WebSocket as a client asks for it (RFC 6455, section 4.2.1).
struct WebSocketHandshake: Sendable, Equatable {
    /// `Sec-WebSocket-Accept` of the answer.
    let accept: String
    /// `Sec-WebSocket-Protocol` of the answer: the one this gateway speaks, when it was offered.
    let subprotocol: String?

    /// What a client that cannot set headers offers beside ``tokenPrefix``.
    static let eventsProtocol = "switchboard.events"
    /// Before a device token among the offered protocols: browsers can send it no other way, and a token in the URL would
    /// end in logs.
    static let tokenPrefix = "bearer."
    private static let salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// Nil for requests that ask for no WebSocket. Throws 426 for other versions, 400 for a key that is none.
    init?(_ fields: HTTPFields) throws(APIError) {
        guard Self.isUpgrade(fields) else { return nil }
        guard fields[.secWebSocketVersion] == "13" else { throw .upgradeRequired }
        guard let key = fields[.secWebSocketKey], Base64.decode(key)?.count == 16 else {
            throw .validation("Sec-WebSocket-Key must be 16 bytes of base64", field: "Sec-WebSocket-Key")
        }
        accept = Base64.encode(SHA1Digest.hash((key + Self.salt).utf8))
        subprotocol = Self.offered(fields).contains { $0 == Self.eventsProtocol } ? Self.eventsProtocol : nil
    }

    /// The credential of a request that asks for a WebSocket and offers a token as protocol.
    static func authorization(in fields: HTTPFields) -> String? {
        guard isUpgrade(fields), let token = offered(fields).first(where: { $0.hasPrefix(tokenPrefix) }) else {
            return nil
        }
        return "Bearer \(token.dropFirst(tokenPrefix.count))"
    }

    private static func isUpgrade(_ fields: HTTPFields) -> Bool {
        words(fields[.upgrade]).contains { $0.lowercased() == "websocket" }
            && words(fields[.connection]).contains { $0.lowercased() == "upgrade" }
    }

    private static func offered(_ fields: HTTPFields) -> [Substring] { words(fields[.secWebSocketProtocol]) }

    private static func words(_ list: String?) -> [Substring] {
        (list ?? "").split { $0 == "," || $0 == " " || $0 == "\t" }
    }
}
