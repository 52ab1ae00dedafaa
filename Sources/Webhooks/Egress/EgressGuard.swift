import Foundation
import Tenancy

/// Decides which addresses of the network a customer may make us talk to (11-webhooks, section 7).
///
/// A target is checked when it is configured and again at every attempt; the connection is made to an address that
/// was checked, never to a name that is looked up once more.
package struct EgressGuard: Sendable {
    /// Why a target is refused; `message` is the sentence of the API.
    package enum Refusal: Error, Equatable {
        case malformed, privateAddress, unresolvable
        /// Neither HTTPS nor, where that is allowed, HTTP.
        case scheme, schemeBesideHTTP

        package var message: String {
            switch self {
            case .malformed: "url must be valid"
            case .scheme: "only HTTPS URLs are allowed"
            case .schemeBesideHTTP: "only HTTP and HTTPS URLs are allowed"
            case .privateAddress: "private/local network URLs are not allowed"
            case .unresolvable: "host name could not be resolved"
            }
        }
    }

    /// A URL that passed the checks that need no resolver.
    package struct Target: Sendable, Equatable {
        package let isSecure: Bool
        /// Lower-case host without brackets or trailing dot.
        package let host: String
        package let port: Int
        /// Path and query as they go into the request line.
        package let pathAndQuery: String
    }

    private let allowHTTP: Bool
    private let allowed: [AddressBlock]
    private let denied: [AddressBlock]

    /// - Parameters:
    ///   - allowHTTP: `WEBHOOK_ALLOW_HTTP`.
    ///   - allowed: `EGRESS_ALLOW_CIDRS`, exceptions to the built-in blocks.
    ///   - denied: `EGRESS_DENY_CIDRS`, which win over `allowed`.
    package init(allowHTTP: Bool = false, allowed: [AddressBlock] = [], denied: [AddressBlock] = []) {
        self.allowHTTP = allowHTTP
        self.allowed = allowed
        self.denied = denied
    }

    /// Checks everything of `url` that needs no resolver.
    package func target(of url: String) throws(Refusal) -> Target {
        guard (1...2048).contains(url.utf8.count), url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .malformed
        }
        guard let separator = url.range(of: "://") else { throw .malformed }
        let isSecure: Bool
        switch url[..<separator.lowerBound].lowercased() {
        case "https": isSecure = true
        case "http" where allowHTTP: isSecure = false
        default: throw allowHTTP ? .schemeBesideHTTP : .scheme
        }
        let rest = url[separator.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let (host, port) = try Self.split(authority: rest[..<end])
        let effective = port ?? (isSecure ? 443 : 80)
        guard
            effective == 443 || effective == 8443 || (1024...65535).contains(effective)
                || (!isSecure && effective == 80)
        else { throw .malformed }
        var path = String(rest[end...].prefix { $0 != "#" })
        if !path.hasPrefix("/") { path = "/" + path }
        try checkUnresolved(host)
        return Target(isSecure: isSecure, host: host, port: effective, pathAndQuery: path)
    }

    /// Checks everything of a proxy that needs no resolver: host and port as of a URL, whatever the proxy's scheme.
    package func proxy(host: String, port: Int) throws(Refusal) -> Target {
        var host = host.lowercased()
        if host.hasSuffix(".") { host.removeLast() }
        guard !host.isEmpty, host.utf8.count <= 253,
            port == 80 || port == 443 || (1024...65535).contains(port)
        else { throw .malformed }
        try checkUnresolved(host)
        return Target(isSecure: false, host: host, port: port, pathAndQuery: "")
    }

    private func checkUnresolved(_ host: String) throws(Refusal) {
        if let address = IPAddress(literal: host) {
            guard permits(address) else { throw .privateAddress }
        } else {
            guard Self.isHostName(host) else { throw .malformed }
            if Self.isLocalName(host), allowed.isEmpty { throw .privateAddress }
        }
    }

    /// The addresses of `resolved` to connect to: all of them, if every one is permitted.
    /// - Throws: `.unresolvable` for none, `.privateAddress` when any is refused.
    package func check(_ target: Target, resolved: [IPAddress]) throws(Refusal) -> [IPAddress] {
        guard !resolved.isEmpty else { throw .unresolvable }
        for address in resolved {
            guard permits(address) else { throw .privateAddress }
        }
        if Self.isLocalName(target.host), IPAddress(literal: target.host) == nil {
            guard resolved.allSatisfy({ address in allowed.contains { $0.contains(bytes: address.bytes) } }) else {
                throw .privateAddress
            }
        }
        return resolved
    }

    /// Whether a connection to `address` may be made.
    package func permits(_ address: IPAddress) -> Bool {
        let forms = [address] + (address.embeddedIPv4.map { [$0] } ?? [])
        if forms.contains(where: { form in denied.contains { $0.contains(bytes: form.bytes) } }) { return false }
        if forms.contains(where: { form in allowed.contains { $0.contains(bytes: form.bytes) } }) { return true }
        let judged = address.embeddedIPv4 ?? address
        // Of IPv6 only 2000::/3 leads to hosts of the internet.
        if !judged.isIPv4, let first = judged.bytes.first, first & 0xE0 != 0x20 { return false }
        return !Self.blocked.contains { $0.contains(bytes: judged.bytes) }
    }

    private static func split(authority: Substring) throws(Refusal) -> (host: String, port: Int?) {
        guard !authority.isEmpty, !authority.contains("@"), !authority.contains("\\") else { throw .malformed }
        var host = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw .malformed }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let tail = authority[authority.index(after: close)...]
            if !tail.isEmpty {
                guard tail.hasPrefix(":") else { throw .malformed }
                portText = tail.dropFirst()
            }
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        if host.hasSuffix(".") { host = host.dropLast() }
        var port: Int?
        if let portText {
            guard (1...5).contains(portText.utf8.count), portText.allSatisfy(\.isNumber), let value = Int(portText)
            else {
                throw .malformed
            }
            port = value
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { throw .malformed }
        return (host.lowercased(), port)
    }

    private static func isHostName(_ host: String) -> Bool {
        host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                }
        }
    }

    private static func isLocalName(_ host: String) -> Bool {
        guard IPAddress(literal: host) == nil else { return false }
        return !host.contains(".") || localSuffixes.contains { host == $0.dropFirst() || host.hasSuffix($0) }
    }

    private static let localSuffixes = [".localhost", ".local", ".internal", ".home.arpa"]

    /// 11-webhooks, section 7, rules 5 and 6.
    private static let blocked: [AddressBlock] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16", "3fff::/20",
        "5f00::/16",
        "fc00::/7", "fe80::/10", "ff00::/8",
    ].compactMap(AddressBlock.init)
}
