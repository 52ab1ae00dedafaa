import Cryptography
import NIOCore

/// The client's side of the websocket opening handshake (RFC 6455, section 4; 01-transport, section 2.1).
package struct WebSocketUpgrade: Sendable {
    /// What the answer's `Sec-WebSocket-Accept` appends to the key before hashing.
    private static let acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    private let key: String

    /// - Parameter nonce: 16 random bytes.
    package init(nonce: Bytes) { key = Base64.encode(nonce) }

    /// The request.
    ///
    /// - Parameters:
    ///   - origin: the `Origin` header, mandatory with the real server.
    ///   - headers: further headers; they replace those of the same name, but not those of the handshake itself.
    package func request(
        url: WebSocketURL, origin: String, headers: [(name: String, value: String)]
    ) -> ByteBuffer {
        var lines: [(name: String, value: String)] = [
            ("Host", url.hostHeader), ("Connection", "Upgrade"), ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key),
        ]
        let fixed = Set(lines.map { $0.name.lowercased() })
        lines += [("Origin", origin), ("Cache-Control", "no-cache"), ("Pragma", "no-cache")]
        for header in headers where !fixed.contains(header.name.lowercased()) && WebSocketUpgrade.isSafe(header) {
            lines.removeAll { $0.name.lowercased() == header.name.lowercased() }
            lines.append(header)
        }
        var buffer = ByteBuffer()
        buffer.writeString("GET \(url.target) HTTP/1.1\r\n")
        for line in lines { buffer.writeString("\(line.name): \(line.value)\r\n") }
        buffer.writeString("\r\n")
        return buffer
    }

    /// Takes the answer off the front of `buffer`.
    ///
    /// - Returns: whether it was there; false while it is incomplete.
    /// - Throws: ``ConnectFailure/refused(status:)``, ``ConnectFailure/upgrade(_:)``.
    package func receive(_ buffer: inout ByteBuffer) throws(ConnectFailure) -> Bool {
        let head: HTTPResponseHead?
        do { head = try HTTPResponseHead.take(from: &buffer) } catch { throw .upgrade("not an HTTP answer") }
        guard let head else { return false }
        guard head.status == 101 else { throw .refused(status: head.status) }
        guard head["upgrade"]?.lowercased() == "websocket",
            head["connection"]?.lowercased().split(separator: ",").contains(where: { $0.contains("upgrade") }) == true
        else { throw .upgrade("not a websocket answer") }
        guard head["sec-websocket-accept"] == accept else { throw .upgrade("wrong Sec-WebSocket-Accept") }
        guard head["sec-websocket-extensions"] == nil, head["sec-websocket-protocol"] == nil else {
            throw .upgrade("an extension that was not offered")
        }
        return true
    }

    /// The answer's `Sec-WebSocket-Accept`.
    package var accept: String { Base64.encode(SHA1Digest.hash((key + WebSocketUpgrade.acceptSuffix).utf8)) }

    /// A header that cannot break out of its line.
    private static func isSafe(_ header: (name: String, value: String)) -> Bool {
        !header.name.isEmpty && header.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            && header.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
