import Foundation
import Transport

/// Reads the stanzas of the vector files: `{tag, attrs: [[key, value]], content}` where a value is null or one of
/// `{str}`, `{int}`, `{bool}`, `{jid}`, and content is null or one of `{str}`, `{bytes}`, `{jid}`, `{nodes}`.
enum StanzaVector {
    static func stanza(_ vector: VectorCase) throws -> Stanza {
        var attributes = StanzaAttributes()
        for (position, pair) in try vector.list("attrs").enumerated() {
            guard let pair = pair as? [Any], pair.count == 2, let key = pair[0] as? String else {
                throw VectorError.malformed("\(vector.path).attrs[\(position)]")
            }
            attributes[key] = try value(pair[1], path: "\(vector.path).attrs.\(key)")
        }
        return Stanza(try vector.string("tag"), attributes, content: try content(vector))
    }

    /// A null stands for "no value" and is ours as an empty text.
    private static func value(_ value: Any, path: String) throws -> AttributeValue {
        guard let members = value as? [String: Any] else { return .text("") }
        let vector = VectorCase(members: members, path: path)
        switch members.keys.first {
        case "str": return .text(try vector.string("str"))
        case "int": return .text(try vector.string("int"))
        case "bool": return .bool(try vector.bool("bool"))
        case "jid": return .jid(try JID(vector: vector.object("jid")))
        default: throw vector.unknown("attribute value")
        }
    }

    private static func content(_ vector: VectorCase) throws -> Stanza.Content {
        guard vector.has("content") else { return .none }
        let content = try vector.object("content")
        switch content.members.keys.first {
        case "str": return .text(try content.string("str"))
        case "bytes": return .bytes(try content.hex("bytes"))
        case "jid": return .jid(try JID(vector: content.object("jid")))
        case "nodes": return .children(try content.objects("nodes").map(stanza))
        default: throw content.unknown("content")
        }
    }
}
