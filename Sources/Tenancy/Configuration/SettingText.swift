import Foundation

// Readers of the value grammars of 13-configuration, section 2. They take trimmed text and never trap.

enum BooleanText {
    static func parse(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: nil
        }
    }
}

enum IntegerText {
    static func parse(_ text: String) -> Int? {
        var digits = Substring(text)
        var sign = ""
        if let first = digits.first, first == "-" || first == "+" {
            sign = first == "-" ? "-" : ""
            digits.removeFirst()
        }
        guard let first = digits.first, first.isHexDigit else { return nil }
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.lowercased().hasPrefix(prefix) {
            return Int(sign + digits.dropFirst(2), radix: radix)
        }
        return Int(sign + digits)
    }
}

enum SizeText {
    static func parse(_ text: String) -> Int? {
        let unit: Int
        switch text.last {
        case "k", "K": unit = 1 << 10
        case "m", "M": unit = 1 << 20
        case "g", "G": unit = 1 << 30
        default: return text.first?.isASCIIDigit == true ? Int(text) : nil
        }
        let digits = text.dropLast()
        guard digits.first?.isASCIIDigit == true, let number = Int(digits) else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : size
    }
}

package enum DurationText {
    /// Ranges that end here are unbounded.
    package static let longest = Duration.seconds(10 * 365 * 86_400)

    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
        ("d", 86_400e9),
    ]

    package static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCIIDigit || $0 == "." }
            guard let value = Double(number), number.first != "." else { return nil }
            rest = rest[number.endIndex...]
            let name = rest.prefix { !$0.isASCIIDigit && $0 != "." }
            guard let unit = units.first(where: { $0.name == name }) else { return nil }
            rest = rest[name.endIndex...]
            total += value * unit.nanoseconds
        }
        // Int64 nanoseconds hold 292 years.
        guard total < 9e18 else { return nil }
        return .nanoseconds(Int64(total.rounded()))
    }

    /// The shortest text with one unit: `500ms`, `90s`, `10m`.
    package static func format(_ duration: Duration) -> String {
        let parts = duration.components
        let milliseconds = parts.attoseconds / 1_000_000_000_000_000
        if milliseconds != 0 { return "\(parts.seconds * 1000 + milliseconds)ms" }
        for (name, seconds) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)]
        where parts.seconds != 0 && parts.seconds % seconds == 0 {
            return "\(parts.seconds / seconds)\(name)"
        }
        return "\(parts.seconds)s"
    }
}

enum CronText {
    private static let descriptors: Set<String> = [
        "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually",
    ]
    private static let fields: [(range: ClosedRange<Int>, names: [String])] = [
        (0...59, []), (0...59, []), (0...23, []), (1...31, []),
        (1...12, ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]),
        (0...6, ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]),
    ]

    static func isValid(_ text: String) -> Bool {
        var rest = Substring(text)
        if rest.hasPrefix("TZ=") || rest.hasPrefix("CRON_TZ=") {
            guard let space = rest.firstIndex(of: " ") else { return false }
            rest = rest[rest.index(after: space)...]
        }
        let spec = trimmed(rest)
        if spec.hasPrefix("@every ") {
            return DurationText.parse(trimmed(spec.dropFirst(7))).map { $0 > .zero } ?? false
        }
        if spec.hasPrefix("@") { return descriptors.contains(spec) }
        let parts = spec.split(whereSeparator: \.isWhitespace)
        guard parts.count == fields.count else { return false }
        return zip(parts, fields).allSatisfy { part, field in
            part.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { isValid(item: $0, field) }
        }
    }

    /// `*`, `?`, `a`, `a-b`, each with an optional `/step`.
    private static func isValid(item: Substring, _ field: (range: ClosedRange<Int>, names: [String])) -> Bool {
        let halves = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let base = halves.first else { return false }
        if halves.count == 2 {
            guard let step = Int(halves[1]), step > 0, step <= field.range.upperBound else { return false }
        }
        if base == "*" || base == "?" { return true }
        let bounds = base.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = bounds.compactMap { number($0, field) }
        guard numbers.count == bounds.count, let first = numbers.first, let last = numbers.last else { return false }
        return first <= last
    }

    private static func number(_ text: Substring, _ field: (range: ClosedRange<Int>, names: [String])) -> Int? {
        if let index = field.names.firstIndex(of: text.uppercased()) { return field.range.lowerBound + index }
        guard let number = Int(text), field.range.contains(number) else { return nil }
        return number
    }
}

enum URLText {
    /// Lower-case scheme of an absolute URL with a host; nil for anything else.
    static func scheme(of text: String) -> String? {
        guard let separator = text.range(of: "://"), !text.contains(where: \.isWhitespace) else { return nil }
        let authority = text[separator.upperBound...].prefix { !"/?#".contains($0) }
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        guard !host.isEmpty, !host.hasPrefix(":") else { return nil }
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            guard let port = Int(host[host.index(after: colon)...]), (1...65535).contains(port) else { return nil }
        }
        return text[..<separator.lowerBound].lowercased()
    }

    static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 255
            && text.utf8.allSatisfy { byte in
                byte.isASCIILetterOrDigit || [0x2D, 0x2E, 0x3A, 0x5B, 0x5D, 0x5F, 0x25].contains(byte)
            }
    }
}

package enum ListenerText {
    /// `host:port`, an IPv6 address in brackets.
    package static func parse(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return URLText.isHost(String(host)) ? (String(host), port) : nil
    }
}

enum OriginText {
    /// Lower-case origins, or nil when one is not `scheme://host[:port]`, `scheme://*.host` or `*`.
    static func parse(_ text: String) -> [String]? {
        var origins: [String] = []
        for item in SettingKind.items(text) {
            let origin = item.lowercased()
            if origin == "*" {
                origins.append(origin)
                continue
            }
            let plain = origin.replacing("://*.", with: "://")
            guard let scheme = URLText.scheme(of: plain), scheme == "http" || scheme == "https" || scheme == "app"
            else {
                return nil
            }
            let host = plain.dropFirst(scheme.count + 3)
            guard !host.contains(where: { "/?#@*".contains($0) }) else { return nil }
            origins.append(origin)
        }
        return origins.isEmpty ? nil : origins
    }
}

extension Character {
    var isASCIIDigit: Bool { self >= "0" && self <= "9" }
}

extension UInt8 {
    var isASCIILetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self)
    }
}
