import Cryptography
import Database
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Secrets reach no output, no column of the database in clear and no error body, however much is logged
/// (13-configuration, section 15).
@Suite("Leaks", .serialized)
struct LeakTests {
    private static let settings = [
        "LOG_LEVEL": "debug", "WHATSAPP_LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json",
        "ADMIN_SECRET_KEY": "admin secret /+?&= 0123456789abcdef",
        "JWT_SECRET_KEY": "token secret /+?&= 0123456789abcdef",
        "NODE_CLUSTER_SECRET": "cluster secret /+?&= 0123456789", "API_KEY_PEPPER": "pepper /+?&= 0123456789abcdef",
        "SECRETS_KEY": Base64.encode((0..<32).map { 0xA0 ^ ($0 &* 7) }), "WHATSAPP_AUTO_TYPING_ENABLED": "false",
        "PROXY_ALLOW_PRIVATE": "true",
    ]
    static let adminSecret = settings["ADMIN_SECRET_KEY"] ?? ""
    private static let databasePassword = "d@tabase/pass word:%?#4711"
    private static let proxyPassword = "proxy-pass-4711-x"
    private static let text = "a text that no log may hold"
    private static let groupText = "a text to a group, in no log either"

    @Test("at the most verbose log level no secret of the whole flow stands in output, database or error bodies")
    func nothingLeaks() async throws {
        let database = try await PostgresFixture.database()
        let role = "leak_\(UUID().uuidString.prefix(8).lowercased())"
        let password = Self.databasePassword
        try await PostgresFixture.script("CREATE ROLE \(role) SUPERUSER LOGIN PASSWORD '\(password)'")
        var parts = try #require(URLComponents(string: database.uri))
        parts.queryItems = parts.queryItems?.filter { $0.name != "user" }
        let escaped = try #require(password.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        parts.percentEncodedQueryItems =
            (parts.percentEncodedQueryItems ?? [])
            + [URLQueryItem(name: "user", value: role), URLQueryItem(name: "password", value: escaped)]
        let uri = try #require(parts.string)
        do {
            try await Cluster.run(2, database: uri, settings: Self.settings) { try await Self.look($0) }
        } catch {
            try? await database.drop()
            try? await PostgresFixture.script("DROP ROLE IF EXISTS \(role)")
            throw error
        }
        try await database.drop()
        try await PostgresFixture.script("DROP ROLE IF EXISTS \(role)")
    }

    @Test("the search finds a secret in each form that it is for, and nothing where there is none")
    func searchFinds() {
        var search = SecretSearch()
        let secret: [UInt8] = (0..<32).map { UInt8(truncatingIfNeeded: 0xFB &- $0 &* 5) }
        search.add("key", secret)
        search.add("text", "p@ss/wörd: 4711")
        for text in [
            Hex.encode(secret), Hex.encode(secret).uppercased(), Base64.encode(secret), Base64.encodeURLSafe(secret),
            Base64.encode([1] + secret + [2]), Base64.encode([1, 2] + secret), "\"k\":\"\(Base64.encode(secret))\"",
        ] { #expect(search.found(in: Array("before \(text) after".utf8)).keys.sorted() == ["key"], "\(text)") }
        #expect(search.found(in: [0, 1] + secret + [3]).keys.sorted() == ["key"])
        for text in [
            "p@ss/wörd: 4711", "postgres://u:p%40ss%2Fw%C3%B6rd%3A%204711@h/", "p@ss%2fw%c3%b6rd:%204711",
            Base64.encode(Array("user:p@ss/wörd: 4711".utf8)),
        ] { #expect(search.found(in: Array(text.utf8)).keys.sorted() == ["text"], "\(text)") }
        #expect(search.found(in: Array("p@ss/word: 4711 and much else".utf8) + secret.reversed()).isEmpty)
    }

    private static func look(_ cluster: Cluster) async throws {
        let connection = try await DedicatedConnection.open(DatabaseConfiguration(uri: cluster.database))
        let key = try #require(Base64.decode(settings["SECRETS_KEY"] ?? ""))
        let sealed = try StoredSecrets(key: key)
        // What must stand nowhere, and what the database alone holds in clear.
        var (search, content) = (SecretSearch(), SecretSearch())
        for name in settings.keys where name.contains("SECRET") || name.contains("PEPPER") {
            search.add(name, settings[name] ?? "")
        }
        search.add("SECRETS_KEY, decoded", key)
        search.add("database password", databasePassword)
        search.add("proxy password", proxyPassword)

        let flow = try await LeakFlow.start(cluster, &search, proxyPassword: proxyPassword)
        var counts = try await sealed.collect(from: connection, into: &search, content: &content)
        try await flow.talk(text, groupText: groupText)
        counts.merge(try await sealed.collect(from: connection, into: &search, content: &content)) { max($0, $1) }
        let errors = try await flow.provoke(&search)
        counts.merge(try await sealed.collect(from: connection, into: &search, content: &content)) { max($0, $1) }
        // The flow made all there is: a column without a value would be one that nobody looked for.
        for column in [
            "wa_credentials.noise_key_enc", "wa_credentials.identity_key_enc", "wa_credentials.signed_prekey_enc",
            "wa_credentials.adv_secret_enc", "signal_prekeys.key_enc", "signal_sessions.record",
            "retry_buffer.plaintext", "signal_sender_keys.record", "app_state_keys.key_data", "message_secrets.secret",
            "devices.proxy_url_enc",
            "device_creations.secret_enc", "webhooks.secret_enc", "webhooks.headers_enc",
        ] { #expect(counts[column, default: 0] > 0, "\(column) is empty") }

        for node in cluster.nodes { node.signal(SIGTERM) }
        for node in cluster.nodes { #expect(try await node.waitForEnd() == 0) }
        cluster.sandbox.signal(SIGTERM)
        try await cluster.sandbox.waitForEnd()
        let rows = try await StoredSecrets.dump(connection)
        await connection.close()
        #expect(rows.count > 10_000)
        report(search.found(in: rows), in: "the database")

        // Content is the customer's in the database, and nobody's in the output.
        content.add("message content", text)
        content.add("group message content", groupText)
        for search in [search, content] { report(search.found(in: errors), in: "an error body") }
        for (number, process) in (cluster.nodes + [cluster.sandbox]).enumerated() {
            let output = try process.wholeOutput()
            if number < cluster.nodes.count {
                #expect(output.count > 5_000 && process.output.contains("\"level\":\"info\""), "little was logged")
            }
            for search in [search, content] {
                report(search.found(in: output), in: "the output of process \(number)")
            }
        }
    }

    private static func report(_ found: [String: String], in place: String) {
        for (name, before) in found.sorted(by: { $0.key < $1.key }).prefix(20) {
            Issue.record("\(name) is in \(place), after: \(before)")
        }
    }
}
