/// Reads JSON from the network: strict grammar, bounded nesting and string length (10-rest-api, section 2.3).
struct JSONParser {
    enum Failure: Error, Equatable {
        case malformed(offset: Int)
        case tooDeep
        case stringTooLong
    }

    static let maximumDepth = 32
    static let maximumStringLength = 1 << 20

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    static func parse(_ bytes: some Sequence<UInt8>) throws(Failure) -> JSONValue {
        let copy = [UInt8](bytes)
        let result: Result<JSONValue, Failure> = copy.withUnsafeBytes { buffer in
            var parser = JSONParser(bytes: buffer)
            do throws(Failure) { return .success(try parser.document()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private mutating func document() throws(Failure) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw malformed }
        return value
    }

    private var malformed: Failure { .malformed(offset: position) }
    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        guard depth < Self.maximumDepth else { throw .tooDeep }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount where !take(text.utf8Start[index]) { throw malformed }
        return value
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONValue {
        position += 1
        var members: [(key: String, value: JSONValue)] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw malformed }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw malformed }
            members.append((key, try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw malformed }
        }
    }

    private mutating func array(depth: Int) throws(Failure) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw malformed }
        }
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = position
        _ = take(UInt8(ascii: "-"))
        let firstDigit = position
        guard digits() > 0 else { throw malformed }
        if bytes[firstDigit] == UInt8(ascii: "0"), position > firstDigit + 1 { throw malformed }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            guard digits() > 0 else { throw malformed }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw malformed }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let whole = Int64(text) { return .integer(whole) }
        guard let value = Double(text), value.isFinite else { throw malformed }
        return Int64(exactly: value).map(JSONValue.integer) ?? .number(value)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        return position - start
    }

    private mutating func string() throws(Failure) -> String {
        position += 1
        let start = position
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        guard position - start <= Self.maximumStringLength else { throw .stringTooLong }
        if next == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position])
        }
        var unescaped = [UInt8](bytes[start..<position])
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                return try unescaped.withUnsafeBytesOrFailure { bytes throws(Failure) in try text(bytes[...]) }
            case UInt8(ascii: "\\"): try escape(into: &unescaped)
            case 0..<0x20: throw malformed
            default: unescaped.append(byte)
            }
            guard unescaped.count <= Self.maximumStringLength else { throw .stringTooLong }
        }
        throw malformed
    }

    private func text(_ bytes: Slice<UnsafeRawBufferPointer>) throws(Failure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw malformed }
        return text
    }

    private mutating func escape(into output: inout [UInt8]) throws(Failure) {
        guard let byte = next else { throw malformed }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(byte)
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"): output.append(contentsOf: try scalar().utf8)
        default: throw malformed
        }
    }

    /// After `\u`: one code unit, or a surrogate pair. A lone surrogate is no character: refused, not guessed at.
    private mutating func scalar() throws(Failure) -> String {
        let first = try codeUnit()
        guard (0xD800...0xDFFF).contains(first) else {
            return String(Unicode.Scalar(first).map(Character.init) ?? "\u{FFFD}")
        }
        guard first < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw malformed }
        let second = try codeUnit()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first - 0xD800) << 10) + UInt32(second - 0xDC00))
        else { throw malformed }
        return String(Character(scalar))
    }

    private mutating func codeUnit() throws(Failure) -> UInt16 {
        guard bytes.count - position >= 4,
            let unit = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16),
            bytes[position..<position + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
        else { throw malformed }
        position += 4
        return unit
    }
}

extension [UInt8] {
    fileprivate func withUnsafeBytesOrFailure<Value>(
        _ body: (UnsafeRawBufferPointer) throws(JSONParser.Failure) -> Value
    ) throws(JSONParser.Failure) -> Value {
        let result: Result<Value, JSONParser.Failure> = withUnsafeBytes { buffer in
            do throws(JSONParser.Failure) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
