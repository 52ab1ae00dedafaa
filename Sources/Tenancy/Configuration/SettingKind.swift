import Cryptography

/// The grammar of a setting's text (13-configuration, section 2).
package enum SettingKind: Sendable, Equatable {
    /// `1 t T TRUE true True` / `0 f F FALSE false False`.
    case bool
    /// Decimal with optional sign; `0x…`, `0o…` and `0b…` are read too.
    case integer(ClosedRange<Int>)
    /// One or more `<decimal><unit>` with unit `ns us µs ms s m h d`.
    case duration(ClosedRange<Duration>)
    /// Durations separated by commas; may be empty.
    case durations
    /// Bytes, with an optional suffix K, M or G (powers of 1024).
    case size(minimum: Int)
    /// Six fields, or a descriptor such as `@daily`.
    case cron
    /// Absolute, with one of these schemes.
    case url([String])
    /// One of these words, in any case; the value has the spelling of the list.
    case choice([String])
    /// Items separated by commas.
    case list
    /// `*`, or origins separated by commas; `https://*.example.com` stands for all subdomains.
    case origins
    /// Address blocks separated by commas, `10.0.0.0/8` or a single address.
    case addressBlocks
    /// At most so many characters, no control characters.
    case text(Int)
    /// A name or an address to bind to.
    case address
    /// `host:port` to bind to.
    case listener
    /// A path in the URL space of the API.
    case urlPath
    /// A file or directory.
    case path
    /// At least so many characters; never printed.
    case secret(Int)
    /// Base64 of so many bytes; never printed.
    case key(bytes: Int)
    /// Several of those, separated by commas.
    case keys(bytes: Int)
    /// Hexadecimal digits of so many bytes.
    case hex(bytes: Int)
    /// Connection text of libpq: `postgres://…` or `key=value`; never printed, it may hold a password.
    case dataSource
}

package enum SettingValue: Sendable, Equatable {
    case bool(Bool)
    case integer(Int)
    case duration(Duration)
    case durations([Duration])
    case text(String)
    case list([String])
    case bytes(Bytes)
    case byteStrings([Bytes])
}

extension SettingKind {
    /// Values of this kind are shown as their length only.
    package var isSecret: Bool {
        switch self {
        case .secret, .key, .keys, .dataSource: true
        default: false
        }
    }

    /// What a value of this kind must look like: the `problem` of an error line.
    package var expectation: String {
        switch self {
        case .bool: "expected bool (true or false)"
        case .integer(let range):
            range.upperBound == .max
                ? "expected integer >= \(range.lowerBound)"
                : "expected integer in \(range.lowerBound)..\(range.upperBound)"
        case .duration(let range):
            range.upperBound >= DurationText.longest
                ? "expected duration >= \(DurationText.format(range.lowerBound)) such as 500ms or 1h30m"
                : "expected duration in \(DurationText.format(range.lowerBound))..\(DurationText.format(range.upperBound))"
        case .durations: "expected durations separated by commas, such as 1m,5m,30m"
        case .size(let minimum): "expected size >= \(minimum) such as 512K or 8M"
        case .cron: "expected cron with 6 fields"
        case .url(let schemes): "expected url with scheme <\(schemes.joined(separator: ", "))>"
        case .choice(let words): "expected one of <\(words.joined(separator: ", "))>"
        case .list: "expected a list separated by commas"
        case .origins: "expected * or origins such as https://app.example.com, separated by commas"
        case .addressBlocks: "expected address blocks such as 10.0.0.0/8, separated by commas"
        case .text(let maximum): "expected at most \(maximum) characters without control characters"
        case .address: "expected an IP address or a host name"
        case .listener: "expected host:port such as 127.0.0.1:9090"
        case .urlPath: "expected a path without '?', '#', ':' or spaces"
        case .path: "expected a path"
        case .secret(let minimum): "expected at least \(minimum) characters (openssl rand -hex 24)"
        case .key(let count): "expected base64 of \(count) bytes (openssl rand -base64 \(count))"
        case .keys(let count): "expected base64 of \(count) bytes each, separated by commas"
        case .hex(let count): "expected \(count * 2) hexadecimal digits"
        case .dataSource: "expected postgres://user:password@host/database or key=value text"
        }
    }

    /// Reads `text`, which is trimmed and not empty; nil when it does not have the form of ``expectation``.
    package func parse(_ text: String) -> SettingValue? {
        switch self {
        case .bool: BooleanText.parse(text).map(SettingValue.bool)
        case .integer(let range):
            IntegerText.parse(text).flatMap { range.contains($0) ? .integer($0) : nil }
        case .duration(let range):
            DurationText.parse(text).flatMap { range.contains($0) ? .duration($0) : nil }
        case .durations:
            allParsed(Self.items(text), DurationText.parse).map(SettingValue.durations)
        case .size(let minimum): SizeText.parse(text).flatMap { $0 >= minimum ? .integer($0) : nil }
        case .cron: CronText.isValid(text) ? .text(text) : nil
        case .url(let schemes): URLText.scheme(of: text).flatMap { schemes.contains($0) ? .text(text) : nil }
        case .choice(let words):
            words.first { $0.lowercased() == text.lowercased() }.map(SettingValue.text)
        case .list: .list(Self.items(text))
        case .origins: OriginText.parse(text).map(SettingValue.list)
        case .addressBlocks:
            allParsed(Self.items(text)) { AddressBlock($0) == nil ? nil : $0 }.map(SettingValue.list)
        case .text(let maximum):
            text.count <= maximum && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
                ? .text(text) : nil
        case .address: URLText.isHost(text) ? .text(text) : nil
        case .listener: ListenerText.parse(text) == nil ? nil : .text(text)
        case .urlPath: text.contains { "?#: ".contains($0) } ? nil : .text(text)
        case .path: .text(text)
        case .secret(let minimum): text.count >= minimum ? .text(text) : nil
        case .key(let count): Self.key(text, count).map(SettingValue.bytes)
        case .keys(let count): allParsed(Self.items(text)) { Self.key($0, count) }.map(SettingValue.byteStrings)
        case .hex(let count): Hex.decode(text).flatMap { $0.count == count ? .bytes($0) : nil }
        case .dataSource:
            ["postgres://", "postgresql://"].contains { text.hasPrefix($0) } || text.contains("=") ? .text(text) : nil
        }
    }

    static func items(_ text: String) -> [String] {
        text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
    }

    private static func key(_ text: String, _ count: Int) -> Bytes? {
        Base64.decode(text).flatMap { $0.count == count ? $0 : nil }
    }
}

/// All results, or nil when one item could not be read.
private func allParsed<Value>(_ items: [String], _ parse: (String) -> Value?) -> [Value]? {
    var values: [Value] = []
    for item in items {
        guard let value = parse(item) else { return nil }
        values.append(value)
    }
    return values
}

/// `text` without white space at either end.
func trimmed(_ text: some StringProtocol) -> String {
    guard let first = text.firstIndex(where: { !$0.isWhitespace }),
        let last = text.lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(text[first...last])
}
