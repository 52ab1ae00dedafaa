import Cryptography
import Transport

/// Stanzas as people write them: XML or JSON, for `raw`, `iq-handlers` and the `replace` fault.
///
/// XML: attributes in quotes; text content becomes bytes; `<ref encoding="hex">…</ref>` and `encoding="base64"` give
/// binary content, and the attribute is taken away. JSON: `{"tag":…, "attrs":{…}, "content": text | {"hex":…} |
/// {"base64":…} | [nodes]}`. An attribute becomes a JID when its name is one that carries JIDs on the wire
/// (09-sandbox-server, section 3) and its value parses as one.
package enum StanzaText {
    package struct ParsingError: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Attributes whose values travel as JIDs.
    private static let jidAttributes: Set<String> = [
        "from", "to", "jid", "lid", "pn_jid", "participant", "participant_pn", "participant_lid", "sender_pn",
        "sender_lid", "recipient", "peer_recipient_pn", "peer_recipient_lid", "creator", "creator_pn", "s_o", "s_o_pn",
        "phone_number", "author", "admin", "call-creator", "caller_pn",
    ]

    /// The typed value of an attribute written as text.
    package static func attribute(_ key: String, _ value: String) -> AttributeValue {
        guard jidAttributes.contains(key), value.contains("@") || value == "s.whatsapp.net", let jid = JID(value) else {
            return .text(value)
        }
        return .jid(jid)
    }

    // MARK: JSON

    package static func parse(json: JSONValue, depth: Int = 0) throws -> Stanza {
        guard depth < 32 else { throw ParsingError(description: "a node is nested deeper than 32") }
        guard let tag = json["tag"]?.stringValue, !tag.isEmpty else {
            throw ParsingError(description: "a node needs a tag")
        }
        var stanza = Stanza(tag)
        for (key, value) in (json["attrs"]?.objectValue ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let text = value.stringValue ?? value.intValue.map({ String($0) }) else {
                throw ParsingError(description: "attribute \(key) is a text or a number")
            }
            stanza.attributes[key] = attribute(key, text)
        }
        switch json["content"] {
        case nil, .null?: break
        case .string(let text)?: stanza.content = .bytes(Bytes(text.utf8))
        case .array(let nodes)?:
            stanza.content = .children(try nodes.map { try parse(json: $0, depth: depth + 1) })
        case let content?:
            if let hex = content["hex"]?.stringValue, let bytes = Hex.decode(hex) {
                stanza.content = .bytes(bytes)
            } else if let base64 = content["base64"]?.stringValue, let bytes = Base64.decode(base64) {
                stanza.content = .bytes(bytes)
            } else {
                throw ParsingError(description: "content is a text, a list of nodes, {hex} or {base64}")
            }
        }
        return stanza
    }

    package static func json(_ stanza: Stanza) -> JSONValue {
        var members: [String: JSONValue] = ["tag": .string(stanza.tag)]
        var attributes: [String: JSONValue] = [:]
        for (key, value) in stanza.attributes { attributes[key] = .string(value.text) }
        if !attributes.isEmpty { members["attrs"] = .object(attributes) }
        switch stanza.content {
        case .none: break
        case .bytes(let bytes): members["content"] = .object(["base64": .string(Base64.encode(bytes))])
        case .text(let text): members["content"] = .string(text)
        case .jid(let jid): members["content"] = .string(jid.description)
        case .children(let children): members["content"] = .array(children.map(json))
        }
        return .object(members)
    }

    // MARK: XML

    /// Reads exactly one element.
    package static func parse(xml: String) throws -> Stanza {
        var reader = XMLReader(xml)
        reader.skipBlanks()
        let stanza = try reader.element(depth: 0)
        reader.skipBlanks()
        guard reader.isAtEnd else { throw ParsingError(description: "one element is expected") }
        return stanza
    }
}

/// A reader of the small part of XML that stanzas need.
private struct XMLReader {
    private let characters: [Character]
    private var position = 0

    init(_ text: String) { characters = Array(text) }

    var isAtEnd: Bool { position >= characters.count }
    private var current: Character? { position < characters.count ? characters[position] : nil }

    private func fail(_ reason: String) -> StanzaText.ParsingError {
        StanzaText.ParsingError(description: "\(reason) at character \(position + 1)")
    }

    mutating func skipBlanks() {
        while let character = current, character.isWhitespace { position += 1 }
    }

    private mutating func take(_ expected: String) -> Bool {
        let end = position + expected.count
        guard end <= characters.count, String(characters[position..<end]) == expected else { return false }
        position = end
        return true
    }

    private mutating func name() throws -> String {
        let start = position
        while let character = current, !character.isWhitespace, !"=/<>\"'".contains(character) { position += 1 }
        guard position > start else { throw fail("a name is expected") }
        return String(characters[start..<position])
    }

    mutating func element(depth: Int) throws -> Stanza {
        guard depth < 32 else { throw fail("elements are nested deeper than 32") }
        guard take("<") else { throw fail("< is expected") }
        var stanza = Stanza(try name())
        var encoding: String?
        while true {
            skipBlanks()
            if take("/>") { return stanza }
            if take(">") { break }
            let key = try name()
            skipBlanks()
            guard take("=") else { throw fail("= is expected") }
            skipBlanks()
            let value = try quoted()
            if key == "encoding" { encoding = value } else { stanza.attributes[key] = StanzaText.attribute(key, value) }
        }
        try readContent(of: &stanza, encoding: encoding, depth: depth)
        return stanza
    }

    private mutating func readContent(of stanza: inout Stanza, encoding: String?, depth: Int) throws {
        var children: [Stanza] = []
        var text = ""
        while true {
            guard let character = current else { throw fail("</\(stanza.tag)> is missing") }
            if take("</") {
                guard take(stanza.tag), take(">") else { throw fail("</\(stanza.tag)> is expected") }
                break
            }
            if character == "<" {
                children.append(try element(depth: depth + 1))
            } else {
                text.append(character)
                position += 1
            }
        }
        let content = unescape(text)
        switch encoding {
        case nil where !children.isEmpty: stanza.content = .children(children)
        case nil: if !content.isEmpty { stanza.content = .bytes(Bytes(content.utf8)) }
        case "hex"?:
            guard let bytes = Hex.decode(content.trimmingWhitespace()) else { throw fail("hex is malformed") }
            stanza.content = .bytes(bytes)
        case "base64"?:
            guard let bytes = Base64.decode(content.trimmingWhitespace()) else { throw fail("base64 is malformed") }
            stanza.content = .bytes(bytes)
        case let other?: throw fail("encoding \(other) is unknown")
        }
    }

    private mutating func quoted() throws -> String {
        guard let quote = current, quote == "\"" || quote == "'" else { throw fail("a quoted value is expected") }
        position += 1
        let start = position
        while let character = current, character != quote { position += 1 }
        guard current == quote else { throw fail("a closing quote is missing") }
        let value = String(characters[start..<position])
        position += 1
        return unescape(value)
    }

    private func unescape(_ text: String) -> String {
        var result = text
        for (entity, character) in [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&"),
        ] {
            result = result.split(separator: entity, omittingEmptySubsequences: false).joined(separator: character)
        }
        return result
    }
}
