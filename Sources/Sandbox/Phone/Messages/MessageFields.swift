import Cryptography
import WhatsAppProtobuf

/// Field numbers of the E2E `Message` and the submessages that a phone looks into (04-message-pipeline, section 3).
enum MessageField {
    static let conversation = 1
    static let senderKeyDistribution = 2
    static let extendedText = 6
    static let protocolMessage = 12
    static let deviceSent = 31
    static let contextInfo = 35
    static let reaction = 46
    /// `{1: message}` wrappers, in the order in which they are opened.
    static let wrappers = [67, 40, 37, 55, 59, 74, 53, 58]

    /// Field of `Message` → (kind shown by the control API, stanza `type`, `mediatype`, field of a caption).
    static let kinds: [Int: (kind: String, type: String, media: String?, caption: Int?)] = [
        1: ("text", "text", nil, nil), 3: ("image", "media", "image", 3), 4: ("contact", "media", "vcard", nil),
        5: ("location", "media", "location", 2), 6: ("text", "text", nil, 1), 7: ("document", "media", "document", 20),
        8: ("audio", "media", "audio", nil), 9: ("video", "media", "video", 7),
        13: ("contacts", "media", "contact_array", nil), 18: ("live_location", "media", "livelocation", nil),
        26: ("sticker", "media", "sticker", nil), 28: ("group_invite", "media", "url", 6),
        46: ("reaction", "reaction", nil, 2),
        49: ("poll", "poll", nil, nil), 50: ("poll_update", "poll", nil, nil), 51: ("keep_in_chat", "text", nil, nil),
        56: ("reaction", "reaction", nil, nil), 60: ("poll", "poll", nil, nil), 63: ("pin", "text", nil, nil),
        64: ("poll", "poll", nil, nil), 66: ("video_note", "media", "ptv", nil), 75: ("event", "event", nil, nil),
        76: ("event_response", "event", nil, nil), 111: ("poll", "poll", nil, nil), 12: ("protocol", "text", nil, nil),
    ]
}

/// The fields of one serialized message, read without its schema: enough to look for the few parts a phone acts on.
struct ProtoFields {
    private let fields: [ProtoField]

    /// Throws `ProtoError` when the bytes are no protobuf.
    init(_ bytes: Bytes) throws {
        var reader = ProtoReader(bytes)
        var fields: [ProtoField] = []
        while let field = try reader.next() { fields.append(field) }
        self.fields = fields
    }

    /// An empty message when the bytes are no protobuf.
    init(lenient bytes: Bytes) {
        self = (try? ProtoFields(bytes)) ?? ProtoFields(fields: [])
    }

    private init(fields: [ProtoField]) { self.fields = fields }

    var numbers: [Int] { fields.map(\.number) }
    func has(_ number: Int) -> Bool { fields.contains { $0.number == number } }
    /// The last field of the number, as protobuf readers take it.
    private func last(_ number: Int) -> ProtoField? { fields.last { $0.number == number } }
    func uint(_ number: Int) -> UInt64? { last(number)?.uint }
    func bool(_ number: Int) -> Bool { uint(number) == 1 }
    func bytes(_ number: Int) -> Bytes? {
        last(number).flatMap { $0.wireType == .lengthDelimited ? Bytes($0.bytes) : nil }
    }
    func string(_ number: Int) -> String? { last(number)?.string }
    func message(_ number: Int) -> ProtoFields? { bytes(number).flatMap { try? ProtoFields($0) } }
    func messages(_ number: Int) -> [ProtoFields] {
        fields.filter { $0.number == number }.compactMap { try? ProtoFields(Bytes($0.bytes)) }
    }

    /// The message serialized again without the fields of `numbers`, the rest in its order.
    func serialized(without numbers: Set<Int>) -> Bytes {
        var writer = ProtoWriter()
        for field in fields where !numbers.contains(field.number) {
            switch field.wireType {
            case .varint: writer.varint(field.number, field.uint)
            case .fixed64: writer.fixed64(field.number, field.uint)
            case .fixed32: writer.fixed32(field.number, field.uint32)
            case .lengthDelimited: writer.bytes(field.number, field.bytes)
            }
        }
        return writer.bytes
    }
}
