import Cryptography

/// The client version that a login names: `2.3000.<revision>` (01-transport, section 27).
package struct ClientVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var primary: UInt32
    package var secondary: UInt32
    package var tertiary: UInt32

    /// The newest version known when this was written; never go below it.
    package static let builtIn = ClientVersion(2, 3000, 1_045_649_367)

    package init(_ primary: UInt32, _ secondary: UInt32, _ tertiary: UInt32) {
        self.primary = primary
        self.secondary = secondary
        self.tertiary = tertiary
    }

    /// Three decimal numbers with dots, nothing else.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ $0.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } }),
            let primary = UInt32(parts[0]), let secondary = UInt32(parts[1]), let tertiary = UInt32(parts[2])
        else { return nil }
        self.init(primary, secondary, tertiary)
    }

    package var description: String { "\(primary).\(secondary).\(tertiary)" }

    /// MD5 of the dotted text, 16 bytes: what a registration sends as build hash.
    package var buildHash: Bytes { MD5Digest.hash(description.utf8) }

    package static func < (left: ClientVersion, right: ClientVersion) -> Bool {
        (left.primary, left.secondary, left.tertiary) < (right.primary, right.secondary, right.tertiary)
    }
}

extension ClientVersion {
    /// A page that names the current revision, in the order to try them.
    package struct Page: Sendable, Equatable {
        package let path: String
        package let headers: [(name: String, value: String)]

        package static func == (left: Page, right: Page) -> Bool { left.path == right.path }
    }

    /// Time-out of one page and of all, seconds.
    package static let pageTimeout = 15
    package static let discoveryTimeout = 20

    /// The pages relative to the web origin (`https://web.whatsapp.com`), with the headers of a desktop browser.
    ///
    /// - Parameter userAgent: the configured browser string.
    package static func pages(userAgent: String) -> [Page] {
        [
            Page(
                path: "/",
                headers: [
                    ("User-Agent", userAgent), ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"),
                    ("Sec-Fetch-Site", "none"), ("Sec-Fetch-User", "?1"),
                    (
                        "Accept",
                        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
                    ),
                    ("Accept-Language", "en-US,en;q=0.9"),
                ]),
            Page(path: "/sw.js", headers: [("User-Agent", userAgent), ("Sec-Fetch-Site", "none")]),
        ]
    }

    /// The version that a page names: the digits after `"client_revision":`, where the quotes may be escaped by a
    /// backslash and blanks may stand before the digits. Nil when there are none or they exceed 32 bits.
    package static func find(in page: some Collection<UInt8>) -> ClientVersion? {
        let key = Array("client_revision".utf8)
        let bytes = Array(page)
        var position = 0
        while let start = bytes[position...].firstRange(of: key)?.lowerBound {
            position = start + key.count
            var rest = bytes[position...]
            if rest.first == UInt8(ascii: "\\") { rest = rest.dropFirst() }
            guard rest.first == UInt8(ascii: "\""), rest.dropFirst().first == UInt8(ascii: ":") else { continue }
            let digits = rest.dropFirst(2).drop { $0 == 0x20 || $0 == 0x09 }.prefix { $0 >= 0x30 && $0 <= 0x39 }
            guard !digits.isEmpty, let revision = UInt32(String(decoding: digits, as: UTF8.self)) else { continue }
            return ClientVersion(2, 3000, revision)
        }
        return nil
    }
}
