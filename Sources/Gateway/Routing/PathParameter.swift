/// What the parameters in paths mean: the same name means the same thing everywhere.
struct PathParameter: Sendable {
    let name: String
    let summary: String
    let schema: Schema

    private init(_ name: String, _ summary: String, _ schema: Schema) {
        self.name = name
        self.summary = summary
        self.schema = schema
    }

    static func named(_ name: String) -> PathParameter? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    private static let group: Schema = .string.example("120363000000000001@g.us")
    private static let channel: Schema = .string.example("120363000000000002@newsletter")

    private static let all: [PathParameter] = [
        PathParameter("id", "Number of the API key", .decimal),
        PathParameter("device_id", "Id of the device", .string.example("7c1f0b7e-4a52-4f6d-9d0c-2f6f5e0a9b11")),
        PathParameter("chat_jid", "Chat: a JID, or a number in international form", .jid),
        PathParameter("user_jid", "Person: a JID, or a number in international form", .jid),
        PathParameter("phone", "Number in international form", .string.example("15550001111")),
        PathParameter("message_id", "Id of the message", .string.example("3EB0A1B2C3D4E5F60718").length(1...128)),
        PathParameter("poll_id", "Message id of the poll", .string.example("3EB0A1B2C3D4E5F60718")),
        PathParameter("status_id", "Message id of the status post", .string.example("3EB0A1B2C3D4E5F60718")),
        PathParameter("webhook_id", "Number of the webhook", .decimal),
        PathParameter("delivery_id", "Number of the delivery", .decimal),
        PathParameter("file", "Name of a file", .string.example("app.js")),
        PathParameter("event_id", "Id of the event", .string.example("evt_01KDXYZ0A1B2C3D4E5F6G7H8J9")),
        PathParameter("group_jid", "Group", group), PathParameter("community_jid", "Community", group),
        PathParameter("parent_group_jid", "Community", group), PathParameter("parent_jid", "Community", group),
        PathParameter("child_jid", "Group inside the community", group), PathParameter("jid", "Channel", channel),
        PathParameter("code", "The part of the link after its last slash", .string.example("ABCDEFGH12345678")),
        PathParameter("invite_code", "The part of the link after its last slash", .string.example("ABCDEFGH12345678")),
        PathParameter("name", "Name of the collection", .string.example("regular")),
        PathParameter("asset", "Name of the file", .string.example("swagger-ui.css")),
    ]
}
