import Foundation
import Testing
import WhatsAppProtobuf

extension VectorCase {
    /// A member in protobuf JSON form as a message; also checks that the message's JSON is that member again.
    func protobuf(_ key: String, as type: ProtoType) throws -> ProtoMessage {
        let text = try JSONSerialization.data(withJSONObject: object(key).members, options: .sortedKeys)
        let message = try ProtoMessage(type, json: ProtoJSON(parsing: text))
        let rendered = try JSONSerialization.jsonObject(with: Data(message.json().utf8))
        let again = try JSONSerialization.data(withJSONObject: rendered, options: .sortedKeys)
        #expect(String(decoding: again, as: UTF8.self) == String(decoding: text, as: UTF8.self), "\(path).\(key)")
        return message
    }
}
