import Cryptography
import Foundation
import WhatsAppProtobuf

/// One record of app state, decrypted. Layout: `SyncActionData` of 06, section 4.
struct SyncAction: Sendable, Equatable {
    /// The exact bytes of the index: a JSON array of texts.
    let indexJSON: Bytes
    /// The serialized `SyncActionValue`.
    let value: Bytes
    let version: Int64

    init(index: [String], value: Bytes, version: Int64) {
        indexJSON = Bytes(JSONValue.array(index.map { .string($0) }).text.utf8)
        self.value = value
        self.version = version
    }

    init?(parsing bytes: Bytes) {
        guard let fields = try? ProtoFields(bytes), let index = fields.bytes(1) else { return nil }
        indexJSON = index
        value = fields.bytes(2) ?? []
        version = Int64(bitPattern: fields.uint(4) ?? 0)
    }

    /// `nil` when it is no array of texts, or an empty one.
    var index: [String]? {
        let parts = JSONValue.parse(indexJSON)?.arrayValue
        let texts = parts?.compactMap(\.stringValue)
        return texts?.count == parts?.count && texts?.isEmpty == false ? texts : nil
    }

    var serialized: Bytes {
        var writer = ProtoWriter()
        writer.bytes(1, indexJSON)
        writer.message(2, value)
        // Empty, but present.
        writer.bytes(3, [UInt8]())
        writer.int(4, version)
        return writer.bytes
    }

    /// The value by its schema; `null` when it does not parse.
    var json: JSONValue {
        guard let type = ProtoType.named("WAWebProtobufSyncAction.SyncActionValue"),
            let message = try? ProtoMessage(type, parsing: value)
        else { return .null }
        return JSONValue.parse(Bytes(message.json().utf8)) ?? .null
    }

    /// A value written as JSON by its schema, with `timestamp` (milliseconds) added where it is missing. Throws `ProtoError`.
    static func value(json: JSONValue, timestamp: Int64) throws -> Bytes {
        guard let type = ProtoType.named("WAWebProtobufSyncAction.SyncActionValue") else { return [] }
        var members = json.objectValue ?? [:]
        if members["timestamp"] == nil { members["timestamp"] = .string(String(timestamp)) }
        return try ProtoMessage(type, json: JSONValue.object(members).text).serialized()
    }
}
