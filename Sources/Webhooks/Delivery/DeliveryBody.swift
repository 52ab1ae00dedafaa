import Foundation

/// The bytes of one delivery: the stored event, or less of it where the webhook wants no contents or the event is too
/// large (11-webhooks, sections 6.6 and 6.9). The same event gives the same bytes on every attempt.
enum DeliveryBody {
    /// Bodies above this lose their large members; the whole event stays at `GET /webhook-events/{event_id}`.
    static let limit = 256 * 1024
    private static let largeMembers = ["message", "rich_response", "messages", "changes"]

    static func make(_ stored: [UInt8], eventType: String, includesContent: Bool) -> [UInt8] {
        if includesContent && stored.count <= limit { return stored }
        guard var event = (try? JSONSerialization.jsonObject(with: Data(stored))) as? [String: Any],
            var data = event["data"] as? [String: Any]
        else { return stored }
        if !includesContent { data = identifiers(data, of: eventType) }
        if stored.count > limit, includesContent {
            for member in largeMembers { data[member] = nil }
            data["truncated"] = true
        }
        event["data"] = data
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        guard let json = try? JSONSerialization.data(withJSONObject: event, options: options) else { return stored }
        return [UInt8](json)
    }

    /// The members the reference sends, and the second identities: no text, no names, no media.
    private static func identifiers(_ data: [String: Any], of type: String) -> [String: Any] {
        let known = Set(WebhookEventCatalogue.byName[type]?.fields.map(\.name) ?? [])
        let contents: Set = ["text", "emoji", "push_name", "rich_response", "action_raw", "messages"]
        return data.filter { key, _ in
            (known.contains(key) || key.hasSuffix("_lid") || key == "sender_alt" || key == "sender_pn" || key == "type")
                && !contents.contains(key)
        }
    }
}
