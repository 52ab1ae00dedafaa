import Cryptography
import WhatsAppProtobuf

/// The file of a message, as it is described to customers and found on the media servers (05-message-content, section 8).
package struct ContentMedia: Sendable, Equatable {
    /// `image`, `video`, `video_note`, `audio`, `ptt`, `document` or `sticker`.
    package var type: String
    package var kind: MediaKind
    package var mimetype: String?
    package var fileLength: UInt64?
    package var fileName: String?
    package var caption: String?
    package var fileSHA256: Bytes?
    package var fileEncSHA256: Bytes?
    package var mediaKey: Bytes?
    package var directPath: String?
    package var seconds: UInt32?
    package var width: UInt32?
    package var height: UInt32?
    package var isViewOnce = false

    /// The file of an unwrapped message; nil when it has none.
    package init?(_ message: ProtoMessage) {
        guard let (field, contentKind) = ContentKind.field(of: message),
            let (type, kind) = ContentMedia.kinds[contentKind], let content = message[message: field]
        else { return nil }
        func has(_ name: String) -> Bool { content.type.hasField(name) }
        self.type = contentKind == .audio && content[bool: "PTT"] == true ? "ptt" : type
        self.kind = kind
        mimetype = content[string: "mimetype"]
        fileLength = content[uint: "fileLength"]
        fileName = has("fileName") ? content[string: "fileName"] : nil
        caption = has("caption") ? content[string: "caption"] : nil
        fileSHA256 = content[bytes: "fileSHA256"]
        fileEncSHA256 = content[bytes: "fileEncSHA256"]
        mediaKey = content[bytes: "mediaKey"]
        directPath = content[string: "directPath"]
        if has("seconds") { seconds = content[uint: "seconds"].map { UInt32(truncatingIfNeeded: $0) } }
        if has("width") { width = content[uint: "width"].map { UInt32(truncatingIfNeeded: $0) } }
        if has("height") { height = content[uint: "height"].map { UInt32(truncatingIfNeeded: $0) } }
        if has("viewOnce") { isViewOnce = content[bool: "viewOnce"] ?? false }
    }

    /// Whether the file can be downloaded at all.
    package var isAvailable: Bool { directPath?.hasPrefix("/") == true && mediaKey?.count == MediaKeys.mediaKeyCount }

    /// For rows, API answers and webhooks; never the key.
    package var json: ProtoJSON {
        .members([
            "type": .string(type), "mimetype": mimetype.map { .string($0) },
            "file_length": fileLength.map { .integer($0) },
            "file_name": fileName.map { .string($0) }, "caption": caption.map { .string($0) },
            "file_sha256": fileSHA256.map { .string(Base64.encode($0)) }, "seconds": seconds.map { .integer($0) },
            "width": width.map { .integer($0) }, "height": height.map { .integer($0) },
            "direct_path": directPath.map { .string($0) }, "available": .bool(isAvailable),
        ])
    }

    private static let kinds: [ContentKind: (String, MediaKind)] = [
        .image: ("image", .image), .video: ("video", .video), .videoNote: ("video_note", .video),
        .audio: ("audio", .audio), .document: ("document", .document), .sticker: ("sticker", .sticker),
    ]
}
