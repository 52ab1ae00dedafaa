/// A JSON value whose objects keep the order of their members and whose numbers keep their digits.
package enum ProtoJSON: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The digits as written: `12`, `-0.5e3`.
    case number(String)
    case string(String)
    case array([ProtoJSON])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package var name: String
        package var value: ProtoJSON

        package init(_ name: String, _ value: ProtoJSON) {
            self.name = name
            self.value = value
        }
    }

    package static func integer(_ value: some BinaryInteger) -> ProtoJSON { .number(String(value)) }

    /// An object of the members that have a value.
    package static func members(_ members: KeyValuePairs<String, ProtoJSON?>) -> ProtoJSON {
        .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    /// The last member of that name of an object; nil for anything else.
    package subscript(_ name: String) -> ProtoJSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    package var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    package var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var arrayValue: [ProtoJSON]? { if case .array(let value) = self { value } else { nil } }
    package var intValue: Int64? { if case .number(let digits) = self { Int64(digits) } else { nil } }

    /// Compact JSON text.
    package var text: String {
        var writer = ProtoJSONWriter()
        writer.write(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Compact JSON in UTF-8.
    package var utf8: [UInt8] {
        var writer = ProtoJSONWriter()
        writer.write(self)
        return writer.bytes
    }
}

private struct ProtoJSONWriter {
    var bytes: [UInt8] = []

    mutating func write(_ value: ProtoJSON) {
        switch value {
        case .null: bytes += "null".utf8
        case .bool(let flag): bytes += (flag ? "true" : "false").utf8
        case .number(let digits): bytes += digits.utf8
        case .string(let text): write(text)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                write(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                write(member.name)
                bytes.append(UInt8(ascii: ":"))
                write(member.value)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes += #"\""#.utf8
            case UInt8(ascii: "\\"): bytes += #"\\"#.utf8
            case 0x0A: bytes += #"\n"#.utf8
            case 0x0D: bytes += #"\r"#.utf8
            case 0x09: bytes += #"\t"#.utf8
            case 0..<0x20:
                let hex = String(byte, radix: 16)
                bytes += #"\u00"#.utf8
                bytes += (byte < 0x10 ? "0" + hex : hex).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
