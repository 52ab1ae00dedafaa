extension Stanza: CustomStringConvertible {
    /// XML for logs. Contents are shown by their length only, since they are keys, ciphertexts and names; attribute
    /// values longer than 128 bytes are cut.
    package var description: String {
        var text = ""
        write(into: &text, depth: 0)
        return text
    }

    private func write(into text: inout String, depth: Int) {
        text += "<\(tag)"
        for (key, value) in attributes {
            text += " \(key)=\"\(Stanza.escaped(value.text))\""
        }
        switch content {
        case .none: text += "/>"
        case .bytes(let bytes): text += "><!-- \(bytes.count) bytes --></\(tag)>"
        case .text(let content): text += "><!-- text of \(content.utf8.count) bytes --></\(tag)>"
        case .jid(let jid): text += ">\(jid)</\(tag)>"
        case .children(let children):
            text += ">"
            // A decoded stanza is at most StanzaLimits.depth deep; a built one may be anything.
            if depth < StanzaLimits.depth {
                for child in children { child.write(into: &text, depth: depth + 1) }
            }
            text += "</\(tag)>"
        }
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars.prefix(128) {
            switch scalar {
            case "\"": text += "&quot;"
            case "<": text += "&lt;"
            case "&": text += "&amp;"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: text += "&#\(scalar.value);"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
