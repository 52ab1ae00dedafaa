extension ProtoJSON {
    /// Parses one JSON document (RFC 8259) of at most `depth` nested values.
    ///
    /// Throws `ProtoError.invalidJSON` with the byte offset and the reason.
    package init(parsing text: some Sequence<UInt8>, depth: Int = 128) throws(ProtoError) {
        var parser = ProtoJSONParser(bytes: Array(text), depth: depth)
        self = try parser.document()
    }

    package init(parsing text: String, depth: Int = 128) throws(ProtoError) {
        try self.init(parsing: text.utf8, depth: depth)
    }
}

private struct ProtoJSONParser {
    let bytes: [UInt8]
    var depth: Int
    var position = 0

    init(bytes: [UInt8], depth: Int) {
        self.bytes = bytes
        self.depth = depth
    }

    mutating func document() throws(ProtoError) -> ProtoJSON {
        let value = try value()
        skipSpace()
        guard position == bytes.count else { throw error("text after the document") }
        return value
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func error(_ reason: String) -> ProtoError { .invalidJSON("byte \(position): \(reason)") }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func value() throws(ProtoError) -> ProtoJSON {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try nested { (parser) throws(ProtoError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { (parser) throws(ProtoError) in try parser.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some: return try number()
        case nil: throw error("end of text")
        }
    }

    private mutating func nested(
        _ body: (inout ProtoJSONParser) throws(ProtoError) -> ProtoJSON
    ) throws(ProtoError) -> ProtoJSON {
        guard depth > 0 else { throw error("nested too deep") }
        depth -= 1
        let value = try body(&self)
        depth += 1
        return value
    }

    private mutating func word(_ word: String, _ value: ProtoJSON) throws(ProtoError) -> ProtoJSON {
        guard bytes[position...].starts(with: word.utf8) else { throw error("not a value") }
        position += word.utf8.count
        return value
    }

    private mutating func object() throws(ProtoError) -> ProtoJSON {
        position += 1
        var members: [ProtoJSON.Member] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("member name expected") }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("colon expected") }
            members.append(ProtoJSON.Member(name, try value()))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw error("comma or brace expected") }
        }
    }

    private mutating func array() throws(ProtoError) -> ProtoJSON {
        position += 1
        var elements: [ProtoJSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value())
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw error("comma or bracket expected") }
        }
    }

    private mutating func number() throws(ProtoError) -> ProtoJSON {
        let start = position
        _ = take(UInt8(ascii: "-"))
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[position - whole] != UInt8(ascii: "0") else { throw error("not a value") }
        if take(UInt8(ascii: ".")) {
            guard digits() > 0 else { throw error("digit expected") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits() > 0 else { throw error("digit expected") }
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        return position - start
    }

    private mutating func string() throws(ProtoError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw error("not UTF-8") }
                return string
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case 0..<0x20:
                throw error("control character in a string")
            default:
                text.append(byte)
            }
        }
        throw error("end of text in a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(ProtoError) {
        guard let byte = next else { throw error("end of text in a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let first = try codeUnit()
            var scalar = UInt32(first)
            if UTF16.isLeadSurrogate(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
                let second = try codeUnit()
                guard UTF16.isTrailSurrogate(second) else { throw error("lone surrogate") }
                scalar = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(scalar) else { throw error("lone surrogate") }
            text.append(contentsOf: String(scalar).utf8)
        default: throw error("unknown escape")
        }
    }

    private mutating func codeUnit() throws(ProtoError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("hex digit expected")
            }
            position += 1
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
