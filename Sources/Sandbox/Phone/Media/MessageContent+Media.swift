import Cryptography
import WhatsAppProtobuf

/// Where a message's file is and how it is opened.
struct MediaReference: Sendable, Equatable {
    let kind: MediaKind
    let directPath: String
    /// 32 bytes.
    let key: Bytes
    let sha256: Bytes
    let encryptedSHA256: Bytes
    let mimetype: String
}

/// A file that is stored encrypted, and what one must know to find and open it.
struct StoredMedia: Sendable {
    let key: Bytes
    let directPath: String
    let url: String
    /// Of the plaintext.
    let sha256: Bytes
    let encryptedSHA256: Bytes
    /// Of the plaintext.
    let length: Int
}

extension MessageContent {
    /// The file this message carries; `nil` for other messages, and where a part is missing.
    var media: MediaReference? {
        let fields = innermost
        guard let kind = fields.numbers.lazy.compactMap({ MediaKind.ofField($0) }).first,
            let node = fields.message(kind.field), let path = node.string(kind.fields.directPath),
            let key = node.bytes(kind.fields.key), key.count == 32
        else { return nil }
        return MediaReference(
            kind: kind, directPath: path, key: key, sha256: node.bytes(kind.fields.sha256) ?? [],
            encryptedSHA256: node.bytes(kind.fields.encryptedSHA256) ?? [],
            mimetype: node.string(kind.fields.mimetype) ?? "")
    }

    /// A message with a file. `time`: Unix seconds.
    static func media(
        _ kind: MediaKind, _ file: StoredMedia, mimetype: String?, caption: String?, fileName: String?, time: Int64
    ) -> MessageContent {
        let fields = kind.fields
        var parts: [(Int, (inout ProtoWriter) -> Void)] = [
            (MediaKind.Fields.url, { $0.string(MediaKind.Fields.url, file.url) }),
            (fields.mimetype, { $0.string(fields.mimetype, mimetype ?? kind.defaultMimetype) }),
            (fields.sha256, { $0.bytes(fields.sha256, file.sha256) }),
            (fields.length, { $0.varint(fields.length, UInt64(file.length)) }),
            (fields.key, { $0.bytes(fields.key, file.key) }),
            (fields.encryptedSHA256, { $0.bytes(fields.encryptedSHA256, file.encryptedSHA256) }),
            (fields.directPath, { $0.string(fields.directPath, file.directPath) }),
            (fields.time, { $0.int(fields.time, time) }),
        ]
        if let caption, let field = fields.caption { parts.append((field, { $0.string(field, caption) })) }
        if let fileName, let field = fields.fileName { parts.append((field, { $0.string(field, fileName) })) }
        if kind.setsFlag, let field = fields.flag { parts.append((field, { $0.bool(field, true) })) }
        var writer = ProtoWriter()
        writer.message(kind.field) { node in
            for part in parts.sorted(by: { $0.0 < $1.0 }) { part.1(&node) }
        }
        return MessageContent(writer.bytes)
    }
}
