import Database

/// Values that all nodes share, by name; each change is announced.
package struct SettingsRepository: Sendable {
    /// Channel on which changes are announced; the payload is `{"key":name}`.
    package static let channel = "sb_settings"

    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    /// JSON text of a value, or nil.
    package func value(_ key: String) async throws -> String? {
        try await pool.query(Self.find, [.text(key)]).first?[0]
    }

    /// - Parameter json: One JSON value.
    package func set(_ key: String, json: String) async throws {
        _ = try await pool.pipeline([
            BoundStatement(Self.store, [.text(key), .text(json)]), BoundStatement(Self.announce, [.text(key)]),
        ])
    }

    private static let find = Statement("settings.find", "SELECT value::text FROM sb.settings WHERE key = $1")
    private static let store = Statement(
        "settings.store",
        """
        INSERT INTO sb.settings (key, value) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()
        """)
    private static let announce = Statement(
        "settings.announce", "SELECT pg_notify('sb_settings', json_build_object('key', $1::text)::text)")
}
