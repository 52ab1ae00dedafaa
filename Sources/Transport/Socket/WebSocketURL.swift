/// The parts of a `ws://` or `wss://` URL that a connection needs.
package struct WebSocketURL: Sendable, Equatable {
    package var isSecure: Bool
    /// Host name or address, IPv6 without brackets.
    package var host: String
    package var port: Int
    /// Path and query as they go into the request line; begins with `/`.
    package var target: String

    /// - Returns: nil for another scheme, no host, a port outside 1...65535, or characters that cannot stand in a request.
    package init?(_ text: String) {
        let isSecure: Bool
        let rest: Substring
        if text.lowercased().hasPrefix("wss://") {
            (isSecure, rest) = (true, text.dropFirst(6))
        } else if text.lowercased().hasPrefix("ws://") {
            (isSecure, rest) = (false, text.dropFirst(5))
        } else {
            return nil
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        guard let address = HostAndPort(rest[..<end], defaultPort: isSecure ? 443 : 80) else { return nil }
        var target = String(rest[end...].prefix { $0 != "#" })
        if !target.hasPrefix("/") { target = "/" + target }
        self.isSecure = isSecure
        host = address.host
        port = address.port
        self.target = target
    }

    /// The `Host` header: with the port unless it is the scheme's own.
    package var hostHeader: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }
}

/// `host`, `host:port`, `[IPv6]`, `[IPv6]:port`.
struct HostAndPort: Equatable {
    var host: String
    var port: Int

    init?(_ text: Substring, defaultPort: Int) {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            if !rest.isEmpty {
                guard rest.first == ":" else { return nil }
                port = rest.dropFirst()
            }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard !host.contains(":") else { return nil }
        }
        guard !host.isEmpty, !host.contains("@") else { return nil }
        self.host = String(host)
        self.port = defaultPort
        if let port {
            guard let number = Int(port), (1...65_535).contains(number),
                port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
            else { return nil }
            self.port = number
        }
    }
}
