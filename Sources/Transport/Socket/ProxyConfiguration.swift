/// A proxy for outgoing connections (01-transport, section 3).
package struct ProxyConfiguration: Sendable, Hashable {
    package enum Scheme: String, Sendable {
        /// CONNECT over a plain connection to the proxy.
        case http
        /// CONNECT over TLS to the proxy.
        case https
        /// SOCKS 5, host names resolved by the proxy.
        case socks5
    }

    package enum ParsingError: Error, Equatable {
        /// Anything but `http`, `https` and `socks5`.
        case unsupportedScheme(String)
        /// No host, or a bad port.
        case invalidAddress
    }

    package var scheme: Scheme
    package var host: String
    package var port: Int
    /// The addresses that `host` was found to have and that alone may be dialed, as text; none looks `host` up.
    package var addresses: [String] = []
    package var username: String?
    package var password: String?

    package init(scheme: Scheme, host: String, port: Int, username: String? = nil, password: String? = nil) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.username = username
        self.password = password
    }

    /// `scheme://[user[:password]@]host[:port][/]`; user and password may be percent-encoded. Default ports: 80, 443, 1080.
    package init(url: String) throws(ParsingError) {
        guard let colon = url.firstRange(of: "://") else { throw .unsupportedScheme("") }
        let name = url[..<colon.lowerBound].lowercased()
        // socks5h says explicitly what holds here anyway: the proxy resolves names.
        guard let scheme = Scheme(rawValue: name == "socks5h" ? "socks5" : name) else { throw .unsupportedScheme(name) }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .invalidAddress }
        var authority = url[colon.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") {
            let credentials = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let user = ProxyConfiguration.percentDecoded(credentials[0]),
                let secret = ProxyConfiguration.percentDecoded(credentials.count > 1 ? credentials[1] : "")
            else { throw .invalidAddress }
            username = user
            password = secret
            authority = authority[authority.index(after: at)...]
        }
        let defaultPort =
            switch scheme {
            case .http: 80
            case .https: 443
            case .socks5: 1080
            }
        guard let address = HostAndPort(authority, defaultPort: defaultPort) else { throw .invalidAddress }
        self.scheme = scheme
        host = address.host
        port = address.port
    }

    /// The proxy that the environment names for `host`, or nil: `https_proxy`, `HTTPS_PROXY`, unless `no_proxy` or
    /// `NO_PROXY` lists the host, a parent domain of it, or `*`. A malformed address counts as none.
    package static func environment(_ variables: [String: String], host: String) -> ProxyConfiguration? {
        func value(_ names: String...) -> String? { names.lazy.compactMap { variables[$0] }.first { !$0.isEmpty } }
        guard let url = value("https_proxy", "HTTPS_PROXY") else { return nil }
        let host = host.lowercased()
        for entry in (value("no_proxy", "NO_PROXY") ?? "").lowercased().split(separator: ",") {
            let name = entry.drop { $0 == " " || $0 == "." }.prefix { $0 != " " }
            if name == "*" || host == name || host.hasSuffix("." + name) { return nil }
        }
        return try? ProxyConfiguration(url: url)
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        guard text.contains("%") else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension ProxyConfiguration: CustomStringConvertible, CustomReflectable {
    /// The address without credentials.
    package var description: String { "\(scheme.rawValue)://\(host):\(port)" }
    package var customMirror: Mirror { Mirror(self, children: ["address": description]) }
}
