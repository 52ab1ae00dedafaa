/// Writes JSON: the `data` objects of events and small cached documents. Keys keep the order of the calls.
package struct JSONObject: Sendable {
    private var text: [UInt8] = [UInt8(ascii: "{")]

    package init() {}

    private mutating func key(_ key: String) {
        if text.count > 1 { text.append(UInt8(ascii: ",")) }
        append(quoted: key)
        text.append(UInt8(ascii: ":"))
    }

    package mutating func set(_ name: String, _ value: String) {
        key(name)
        append(quoted: value)
    }

    /// Left out when nil.
    package mutating func set(_ name: String, ifPresent value: String?) {
        if let value { set(name, value) }
    }

    package mutating func set(_ name: String, _ value: Bool) { set(name, raw: value ? "true" : "false") }

    package mutating func set(_ name: String, _ value: some BinaryInteger) { set(name, raw: String(value)) }

    package mutating func set(_ name: String, _ values: [String]) {
        key(name)
        text.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            append(quoted: value)
        }
        text.append(UInt8(ascii: "]"))
    }

    package mutating func setNull(_ name: String) { set(name, raw: "null") }

    package mutating func set(_ name: String, _ value: JSONObject) { set(name, raw: value.bytes) }

    /// A value that is JSON already.
    package mutating func set(_ name: String, raw json: String) {
        key(name)
        text.append(contentsOf: json.utf8)
    }

    /// A value that is JSON in UTF-8 already.
    package mutating func set(_ name: String, raw json: [UInt8]) {
        key(name)
        text.append(contentsOf: json)
    }

    package var bytes: [UInt8] { text + [UInt8(ascii: "}")] }

    /// Copies what needs no escape in runs.
    private mutating func append(quoted value: String) {
        text.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { bytes in
            var (run, index) = (0, 0)
            while index < bytes.count {
                guard let (escape, length) = Self.escape(at: index, of: bytes) else {
                    index += 1
                    continue
                }
                text.append(contentsOf: bytes[run..<index])
                text.append(contentsOf: escape.utf8)
                index += length
                run = index
            }
            text.append(contentsOf: bytes[run...])
        }
        text.append(UInt8(ascii: "\""))
    }

    /// What stands for the character at `index`, and its bytes; nil for one that stands for itself.
    private static func escape(at index: Int, of bytes: UnsafeBufferPointer<UInt8>) -> (text: String, length: Int)? {
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "\""): return ("\\\"", 1)
        case UInt8(ascii: "\\"): return ("\\\\", 1)
        case UInt8(ascii: "\n"): return ("\\n", 1)
        case UInt8(ascii: "\r"): return ("\\r", 1)
        case UInt8(ascii: "\t"): return ("\\t", 1)
        case 0..<0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
            return ((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16), 1)
        // U+2028 and U+2029, which end lines in JavaScript.
        case 0xE2 where index + 2 < bytes.count && bytes[index + 1] == 0x80 && bytes[index + 2] & 0xFE == 0xA8:
            return (bytes[index + 2] == 0xA8 ? "\\u2028" : "\\u2029", 3)
        default: return nil
        }
    }
}
