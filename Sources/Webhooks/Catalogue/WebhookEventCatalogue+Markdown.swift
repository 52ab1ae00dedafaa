extension WebhookEventCatalogue {
    /// `docs/webhook-events.md`.
    package static var markdown: String {
        var text = """
            # Webhook events

            Made from the catalogue in `Sources/Webhooks/Catalogue`; a test compares the two.

            Every event is one POST of JSON: `event_type`, `event_id` (also the header `webhook-id`, the same on every
            attempt and replay), `device_id`, `sequence` (grows with each event of the device; gaps are legal),
            `timestamp`, and `data` with the members below. Members may be added; these stay. People are named by phone
            number where it is known, and beside it by LID in a member that ends in `_lid` (in `pushname.update`
            `target_alt`); events of groups name people as the group does, with `sender_pn` beside `sender` and
            `phone_numbers`, which tells the phone JID of each of them that is known by LID.

            A subscription with an empty `events` gets all of the first table. Names and prefixes such as `message.*` choose.
            Delivery is at least once, in order for each device and webhook: drop what has an `event_id` that you know.
            `GET /webhook-events` answers this list; `GET /webhook-events/stream` is the same events as a stream.

            A question mark stands behind members that are left out where there is nothing to say. `unix_s` is whole seconds
            since 1970, `rfc3339` a time as text.

            ## The 86 events


            """
        text += table(referenceEvents)
        text += """

            ## Events of our own

            Sent only to webhooks that name them, or a prefix of theirs.


            """
        text += table(ownEvents)
        text += """

            ## Not sent yet

            | what will send them | events |
            | --- | --- |

            """
        for capability in Capability.allCases {
            let names = all.map(\.name).filter { planned[$0] == capability }
            guard !names.isEmpty else { continue }
            text += "| \(capability.rawValue) | \(names.map { "`\($0)`" }.joined(separator: ", ")) |\n"
        }
        return text
    }

    private static func table(_ events: [WebhookEventDescription]) -> String {
        var text = "| event | sent | members of `data` | added by us |\n| --- | --- | --- | --- |\n"
        for event in events {
            let sent = event.isEmitted ? "yes" : "not yet"
            text += "| `\(event.name)` | \(sent) | \(list(event.fields)) | \(list(event.additions)) |\n"
        }
        return text
    }

    private static func list(_ members: [WebhookEventField]) -> String {
        members.map { member in
            let kind = member.kind.rawValue.replacing("|", with: " or ")
            return "`\(member.name)`\(member.isOptional ? "?" : "") \(kind)"
        }.joined(separator: ", ")
    }
}
