/// The WhatsApp Web version that connections announce, `2.3000.1045649367`.
package struct WhatsAppVersion: Sendable, Hashable, Comparable {
    package var major: Int
    package var minor: Int
    package var revision: Int

    package init(major: Int, minor: Int, revision: Int) {
        self.major = major
        self.minor = minor
        self.revision = revision
    }

    /// Reads `2.3000.1045649367`.
    package init?(_ text: String) {
        let parts = text.split(separator: ".").compactMap { Int($0) }
        guard parts.count == 3, parts.allSatisfy({ $0 >= 0 }) else { return nil }
        self.init(major: parts[0], minor: parts[1], revision: parts[2])
    }

    /// Known to be accepted when this program was built (01-transport, section 27).
    package static let builtIn = WhatsAppVersion(major: 2, minor: 3000, revision: 1_045_649_367)

    package var parts: [Int] { [major, minor, revision] }
    package var text: String { "\(major).\(minor).\(revision)" }

    package static func < (left: WhatsAppVersion, right: WhatsAppVersion) -> Bool {
        left.parts.lexicographicallyPrecedes(right.parts)
    }
}

/// Finds the revision in a page of WhatsApp Web: the digits after `"client_revision":`, whose quotes may have a
/// backslash before them (01-transport, section 27).
enum VersionPage {
    static func revision(in page: [UInt8]) -> Int? {
        let name = Array("client_revision".utf8)
        var start = page.startIndex
        while let hit = page[start...].firstRange(of: name) {
            if let revision = digits(page[hit.upperBound...]) { return revision }
            start = hit.upperBound
        }
        return nil
    }

    private static func digits(_ rest: ArraySlice<UInt8>) -> Int? {
        var rest = rest.prefix(64)
        if rest.first == UInt8(ascii: "\\") { rest = rest.dropFirst() }
        guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
        rest = rest.drop { $0 == 0x20 }
        guard rest.popFirst() == UInt8(ascii: ":") else { return nil }
        rest = rest.drop { $0 == 0x20 }
        let number = rest.prefix { (0x30...0x39).contains($0) }
        return (6...12).contains(number.count) ? Int(String(decoding: number, as: UTF8.self)) : nil
    }
}
