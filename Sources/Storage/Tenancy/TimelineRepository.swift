import Database
import Messaging

/// One line of a device's timeline.
package struct TimelineEntry: Sendable, Equatable {
    package let at: Timestamp
    /// Name of the event catalogue, `connection.disconnected`.
    package let event: String
    /// JSON object: what the event says beside its name. No code, challenge or key is in it.
    package let detail: String
}

/// What happened to the connection of a device (15-peers-and-users, P18). Sessions write it with the commit of the change
/// itself, whether or not a webhook wants the event.
package struct TimelineRepository: Sendable {
    private let database: StorageDatabase

    package init(_ database: StorageDatabase) { self.database = database }

    /// The newest entries, newest first.
    package func entries(_ scope: DeviceScope, limit: Int = 200) async throws -> [TimelineEntry] {
        try await database.query(
            .device(scope), TimelineStatements.newest, [.int(scope.tenantID), .int(scope.did), SQLValue(limit)]
        ).map { row in
            TimelineEntry(at: try row["at"], event: try row["event"], detail: try row["detail"])
        }
    }
}

enum TimelineStatements {
    static let append = Statement(
        "timeline.append",
        """
        INSERT INTO sb.device_timeline (did, at, event, detail)
        SELECT t.did, t.at, t.event, t.detail::jsonb
        FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[]) AS t(did, at, event, detail)
        """)

    static let newest = Statement(
        "timeline.newest",
        """
        SELECT t.at, t.event, t.detail::text AS detail FROM sb.device_timeline t JOIN sb.devices d USING (did)
        WHERE d.tenant_id = $1 AND d.did = $2 ORDER BY t.at DESC LIMIT $3
        """)
}

extension DeviceEvent {
    /// Events that show a secret for a moment: their time is kept, what they say is not.
    private static let secretive: Set<String> = [
        "connection.qr", "connection.pairing_code", "connection.passkey_required", "connection.passkey_confirmation",
    ]

    /// Whether the timeline keeps it.
    var isOfTimeline: Bool { type.hasPrefix("connection.") && type != "connection.qr" }

    /// JSON for the timeline.
    var timelineDetail: String { Self.secretive.contains(type) ? "{}" : String(decoding: data, as: UTF8.self) }
}
