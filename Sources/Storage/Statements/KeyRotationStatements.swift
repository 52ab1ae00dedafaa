import Database

/// One column that holds sealed values: how its outdated ones are found and replaced while devices run.
///
/// A row that a session wrote meanwhile is left as it is. Two rows may hold the same value in clear, so a row is found by
/// its names as well.
struct SealedColumn: Sendable {
    enum Form: Sendable {
        /// Always sealed: version, key id, nonce, ciphertext.
        case envelope
        /// A form byte, then the value in clear or sealed.
        case record
        /// The byte 1 and a sealed value, or content in clear, which is left alone: it is deleted within days.
        case content
    }

    let table: String
    let column: String
    let form: Form
    /// Columns beside `did` that the context is made of, as text.
    let names: [String]
    /// What the value is bound to, from the device and the row's names.
    let context: @Sendable (_ did: Int64, _ names: [String]) -> String
    /// `$1` current key id, `$2` whether session data is sealed, `$3` rows to skip, `$4` rows at most.
    let outdated: Statement
    /// `$1`, `$2` as above.
    let count: Statement
    /// Whether there is a value under the key with the id `$1`; of envelopes.
    let current: Statement
    /// `$1` device, `$2` old value, `$3` new value, then the names.
    let replace: Statement

    private init(
        _ table: String, _ column: String, _ form: Form = .envelope, names: [String] = [],
        context: @escaping @Sendable (Int64, [String]) -> String
    ) {
        self.table = table
        self.column = column
        self.form = form
        self.names = names
        self.context = context
        let condition =
            switch form {
            case .envelope: "length(\(column)) > 5 AND substr(\(column), 2, 4) <> $1::bytea AND $2::boolean IS NOT NULL"
            case .record:
                """
                length(\(column)) > 0 AND CASE get_byte(\(column), 0) WHEN 1 THEN substr(\(column), 3, 4) <> $1::bytea \
                ELSE $2::boolean END
                """
            case .content:
                """
                length(\(column)) > 5 AND get_byte(\(column), 0) = 1 AND substr(\(column), 3, 4) <> $1::bytea \
                AND $2::boolean IS NOT NULL
                """
            }
        let list = names.map { ", \($0)::text" }.joined()
        outdated = Statement(
            "rotation.outdated.\(table).\(column)",
            """
            SELECT did, \(column)\(list) FROM sb.\(table) WHERE \(condition)
            ORDER BY did, \(column) OFFSET $3 LIMIT $4
            """)
        count = Statement(
            "rotation.count.\(table).\(column)", "SELECT count(*) FROM sb.\(table) WHERE \(condition)")
        current = Statement(
            "rotation.current.\(table).\(column)",
            """
            SELECT EXISTS (SELECT 1 FROM sb.\(table)
              WHERE length(\(column)) > 5 AND substr(\(column), 2, 4) = $1::bytea) AS is_there
            """)
        replace = Statement(
            "rotation.replace.\(table).\(column)",
            "UPDATE sb.\(table) SET \(column) = $3 WHERE did = $1 AND \(column) = $2"
                + names.enumerated().map { " AND \($0.element)::text = $\($0.offset + 4)" }.joined())
    }

    private static func credential(_ name: String) -> SealedColumn {
        SealedColumn("wa_credentials", "\(name)_enc") { did, _ in SealingContext.credential(name, did: did) }
    }

    private static func webhook(_ column: String, _ part: String) -> SealedColumn {
        SealedColumn("webhooks", column, names: ["id"]) { _, names in "webhook/\(names[0])/\(part)" }
    }

    /// One row per device or webhook, always sealed: enough to tell whether the keys are this database's.
    static let telling = [credential("noise_key"), webhook("secret_enc", "secret")]

    static let all: [SealedColumn] = [
        credential("noise_key"), credential("identity_key"), credential("signed_prekey"),
        credential("prev_signed_prekey"), credential("adv_secret"),
        SealedColumn("signal_prekeys", "key_enc", names: ["key_id"]) { did, names in
            SealingContext.preKey(did: did, id: UInt32(names[0]) ?? 0)
        },
        SealedColumn("signal_sessions", "record", .record, names: ["address"]) { did, names in
            SealingContext.session(did: did, address: names[0])
        },
        SealedColumn("signal_session_archive", "record", .record, names: ["address"]) { did, names in
            SealingContext.archive(did: did, address: names[0])
        },
        SealedColumn("signal_sender_keys", "record", .record, names: ["group_id", "sender"]) { did, names in
            SealingContext.senderKey(did: did, group: names[0], sender: names[1])
        },
        SealedColumn("app_state_keys", "key_data", .record) { did, _ in SealingContext.appStateKey(did: did) },
        SealedColumn("message_secrets", "secret", .record, names: ["message_id"]) { did, names in
            SealingContext.messageSecret(did: did, messageID: names[0])
        },
        SealedColumn("retry_buffer", "plaintext", .content, names: ["message_id"]) { did, names in
            SealingContext.retry(did: did, messageID: names[0])
        },
        SealedColumn("devices", "proxy_url_enc") { did, _ in SealingContext.proxy(did: did) },
        SealedColumn("device_creations", "secret_enc") { did, _ in SealingContext.creation(did: did) },
        SealedColumn("devices", "push_token_enc") { did, _ in SealingContext.pushToken(did: did) },
        webhook("secret_enc", "secret"), webhook("prev_secret_enc", "secret"), webhook("headers_enc", "headers"),
    ]
}
