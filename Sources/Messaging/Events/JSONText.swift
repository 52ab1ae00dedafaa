/// Writes JSON: the `data` objects of events and small cached documents. Keys keep the order of the calls.
package struct JSONObject: Sendable {
    private var text = "{"

    package init() {}

    private mutating func key(_ key: String) {
        if text.utf8.count > 1 { text += "," }
        JSONObject.append(quoted: key, to: &text)
        text += ":"
    }

    package mutating func set(_ name: String, _ value: String) {
        key(name)
        JSONObject.append(quoted: value, to: &text)
    }

    /// Left out when nil.
    package mutating func set(_ name: String, ifPresent value: String?) {
        if let value { set(name, value) }
    }

    package mutating func set(_ name: String, _ value: Bool) {
        key(name)
        text += value ? "true" : "false"
    }

    package mutating func set(_ name: String, _ value: some BinaryInteger) {
        key(name)
        text += String(value)
    }

    package mutating func set(_ name: String, _ values: [String]) {
        key(name)
        text += "["
        for (index, value) in values.enumerated() {
            if index > 0 { text += "," }
            JSONObject.append(quoted: value, to: &text)
        }
        text += "]"
    }

    package mutating func setNull(_ name: String) {
        key(name)
        text += "null"
    }

    package mutating func set(_ name: String, _ value: JSONObject) {
        key(name)
        text += value.text + "}"
    }

    /// A value that is JSON already.
    package mutating func set(_ name: String, raw json: String) {
        key(name)
        text += json
    }

    package var bytes: [UInt8] { Array((text + "}").utf8) }

    private static func append(quoted value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..."\u{1F}", "\u{2028}", "\u{2029}", "<", ">", "&":
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
