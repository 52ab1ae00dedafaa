/// Percent-decoding of paths, queries and forms.
enum PercentCoding {
    /// Everything but letters, digits and `-._~` as `%XX`.
    static func encode(_ text: String) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: encoded.append(byte)
            default:
                encoded += [UInt8(ascii: "%"), HexDigits.upper[Int(byte >> 4)], HexDigits.upper[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// Decodes `%XX`; `+` becomes a space only where `plusIsSpace`. Nil for a broken escape or text that is not UTF-8.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.contains(where: { $0 == UInt8(ascii: "%") || (plusIsSpace && $0 == UInt8(ascii: "+")) }) else {
            return String(text)
        }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, let high = nibble(bytes[index + 1]), let low = nibble(bytes[index + 2])
                else {
                    return nil
                }
                decoded.append(high << 4 | low)
                index += 3
            case UInt8(ascii: "+") where plusIsSpace:
                decoded.append(0x20)
                index += 1
            case let byte:
                decoded.append(byte)
                index += 1
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// `a=1&b=2` in order. Parts that cannot be decoded are nil values for the whole.
    static func pairs(_ text: some StringProtocol) -> [(key: String, value: String)]? {
        var pairs: [(key: String, value: String)] = []
        for part in text.split(separator: "&") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = decode(halves[0], plusIsSpace: true),
                let value = halves.count == 2 ? decode(halves[1], plusIsSpace: true) : ""
            else { return nil }
            pairs.append((key, value))
        }
        return pairs
    }

    static func escapedHTML(_ text: some StringProtocol) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&#34;"
            case "'": result += "&#39;"
            default: result.append(character)
            }
        }
        return result
    }
}

/// The query of a request; keys keep their case, the first value of a repeated key counts.
struct Query: Sendable {
    private let pairs: [(key: String, value: String)]
    private let declared: [Route.Parameter]?

    /// - Parameter declared: What the route says it takes. A debug build ends when anything else is asked for; nil: whatever.
    /// - Throws: 400 for a broken escape: taken for no query, a filter would show everything.
    init(_ text: Substring?, declared: [Route.Parameter]? = nil) throws(APIError) {
        guard let pairs = PercentCoding.pairs(text ?? "") else {
            var error = APIError.badRequest
            error.hint = "The query is not UTF-8 in percent-encoding; a percent sign itself is %25."
            throw error
        }
        self.pairs = pairs
        self.declared = declared
    }

    /// `name=value`, in the order of the names.
    var normalized: [String] { pairs.map { "\($0.key)=\($0.value)" }.sorted() }

    /// The query with other values for some names, percent-encoded.
    func replacing(_ values: [(key: String, value: String)]) -> String {
        let kept = pairs.filter { pair in !values.contains { $0.key == pair.key } }
        return (kept + values).map { "\(PercentCoding.encode($0.key))=\(PercentCoding.encode($0.value))" }
            .joined(separator: "&")
    }

    subscript(name: String) -> String? {
        assert(declared?.contains { $0.name == name } ?? true, "the route does not declare the query parameter \(name)")
        return pairs.isEmpty ? nil : pairs.first { $0.key == name }?.value
    }

    /// `1 t T TRUE true True` / `0 f F FALSE false False`; otherwise the default.
    func bool(_ name: String, default fallback: Bool) -> Bool {
        switch self[name] {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: fallback
        }
    }

    /// As ``bool(_:default:)``, but refuses another text.
    ///
    /// - Throws: 400.
    func strictBool(_ name: String, default fallback: Bool) throws(APIError) -> Bool {
        guard self[name] != nil else { return fallback }
        let value = bool(name, default: fallback)
        guard value == bool(name, default: !fallback) else {
            throw .validation("\(name) must be true or false", field: name)
        }
        return value
    }

    /// The default unless it is a decimal integer; then clamped to `range`, however long it is.
    func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let text = self[name] else { return fallback }
        if let number = Int(text) { return min(max(number, range.lowerBound), range.upperBound) }
        let isNegative = text.hasPrefix("-")
        let digits = isNegative ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return fallback }
        return isNegative ? range.lowerBound : range.upperBound
    }
}
