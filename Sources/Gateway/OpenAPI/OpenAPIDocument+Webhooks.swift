import Webhooks

/// What webhooks receive, from the event catalogue: the `webhooks` of OpenAPI 3.1, one for each event that is sent.
extension OpenAPIDocument {
    static var webhooks: JSONValue {
        .object(WebhookEventCatalogue.all.filter(\.isEmitted).map { ($0.name, .object([("post", request($0))])) })
    }

    private static func request(_ event: WebhookEventDescription) -> JSONValue {
        let isOptIn = WebhookEventCatalogue.optIn.contains(event.name)
        let schema = Schema.object(
            .init("event_type", .one(of: event.name)),
            .init(
                "event_id", .string.example("evt_01KDXYZ0A1B2C3D4E5F6G7H8J9"), "The same on every attempt and replay"),
            .init("device_id", .uuid), .init("sequence", .integer, "Grows with each event of the device"),
            .init("timestamp", .time), .init("data", .object(event.members.map(Schema.Member.init))))
        return [
            "summary": .string(event.name),
            "description": .string(
                isOptIn
                    ? "Sent only to webhooks that name it or a prefix of it."
                    : "Sent to webhooks that name no events, too."),
            "requestBody": ["required": true, "content": ["application/json": ["schema": schema.openAPI]]],
            "responses": ["2XX": ["description": "Taken; anything else is tried again"]],
        ]
    }
}

extension Schema.Member {
    /// A member of an event's `data`.
    init(_ field: WebhookEventField) {
        self.init(field.name, Schema(field.kind), optional: field.isOptional)
    }
}

extension Schema {
    fileprivate init(_ kind: WebhookEventField.Kind) {
        switch kind {
        case .string: self = .string
        case .bool: self = .boolean
        case .int: self = .integer
        case .unixSeconds: self = .seconds
        case .rfc3339: self = .time
        case .object: self = .map(of: .any)
        case .strings: self = .list(of: .string)
        case .objects: self = .list(of: .map(of: .any))
        case .integers: self = .list(of: .integer)
        case .integerOrNull: self = .integer.orNull
        case .objectOrNull: self = .map(of: .any).orNull
        case .stringsOrNull: self = .list(of: .string).orNull
        }
    }
}
