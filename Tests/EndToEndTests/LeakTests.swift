import Database
import Foundation
import TestSupport
import Testing

/// Secrets reach no log line, no text of the database and no error body, however much is logged (13-configuration,
/// section 15).
@Suite("Leaks", .serialized)
struct LeakTests {
    @Test("at the most verbose log level no secret of the whole flow stands in output, database or error bodies")
    func nothingLeaks() async throws {
        try await withDirectory { directory in
            let dev = try await DevProcess.start(
                in: directory, environment: ["LOG_LEVEL": "debug", "WHATSAPP_LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json"])
            do {
                try await Self.look(in: directory, dev)
            } catch {
                _ = try? await dev.stop()
                throw error
            }
            try await dev.stop()
        }
    }

    private static func look(in directory: URL, _ dev: DevProcess) async throws {
        var secrets: [String: String] = [:]
        let stored = try JSON(Array(try Data(contentsOf: directory.appending(path: "secrets.json"))))
        for name in ["adminSecret", "tokenKey", "dataKey", "sandboxSeed"] { secrets[name] = stored[name].string }
        let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
        let bob = try await Customer.create(dev, phone: "12025550101", name: "Bob")
        for (name, customer) in [("Ada", ada), ("Bob", bob)] {
            secrets["\(name)'s API key"] = customer.key.headers["X-API-Key"]
            secrets["\(name)'s device secret"] = customer.deviceSecret
            secrets["\(name)'s token"] = customer.device.headers["Authorization"]?.replacing("Bearer ", with: "")
        }
        let login = try await ada.device.post("/devices/me/login?output=json")
        let code = try #require(login.json["data"]["code"].string, "\(login.text)")
        secrets["ADV secret"] = code.split(separator: ",").map(String.init).dropFirst(3).first
        #expect(try await dev.sandbox.post("/accounts/\(ada.phone)/scan?wait=paired", ["qr": code]).status == 200)
        try await ada.waitUntilLoggedIn()
        let linking = try await bob.device.post("/devices/me/login-code", ["phone": bob.phone])
        let typed = try #require(linking.json["data"]["PairCode"].string, "\(linking.text)")
        secrets["pairing code"] = typed
        secrets["pairing code without hyphen"] = typed.replacing("-", with: "")
        #expect(
            try await dev.sandbox.post("/accounts/\(bob.phone)/enter-code", ["code": typed]).status == 200)
        try await bob.waitUntilLoggedIn()

        let sink = try await WebhookSink.start()
        let hook = try await bob.device.post(
            "/webhooks", ["url": sink.url, "headers": ["Authorization": "Basic c2VjcmV0LWluLWEtaGVhZGVy"]])
        #expect(hook.status == 200, "\(hook.text)")
        secrets["webhook secret"] = hook.json["data"]["secret"].string
        secrets["webhook header"] = "c2VjcmV0LWluLWEtaGVhZGVy"
        let text = "a text that no log may hold"
        let id = try await ada.send(text, to: bob.phone)
        _ = try await sink.delivery(of: "message.received") { $0.json["data"]["message_id"].string == id }
        try await bob.waitForPhone(toSee: text)

        let errors = try await provoke(dev, ada, bob, &secrets)
        try await sink.stop()
        for name in secrets.keys.sorted() { #expect(secrets[name]?.count ?? 0 >= 8, "\(name) was not used") }

        let log = try String(contentsOf: directory.appending(path: "test-output.log"), encoding: .utf8)
        #expect(log.contains("\"info\"") && log.contains(ada.deviceID), "little was logged")
        #expect(!log.contains(text))
        let rows = try await dump(try #require(dev.ready["database"].string))
        #expect(rows.contains(ada.deviceID))
        for (name, secret) in secrets {
            // Bytes stand in hexadecimal digits.
            let hex = secret.utf8.map { String(format: "%02x", $0) }.joined()
            #expect(!log.contains(secret), "\(name) is in the log")
            #expect(!rows.contains(secret) && !rows.contains(hex), "\(name) is in the database")
            #expect(!errors.contains(secret), "\(name) is in an error body")
            if let bytes = Data(base64Encoded: secret), bytes.count == 32 {
                let raw = bytes.map { String(format: "%02x", $0) }.joined()
                #expect(!rows.contains(raw) && !log.contains(raw), "\(name) is stored as it is")
            }
        }
    }

    /// Requests that go wrong with secrets in them, also in the wrong places; returns all that was answered.
    private static func provoke(
        _ dev: DevProcess, _ ada: Customer, _ bob: Customer, _ secrets: inout [String: String]
    ) async throws -> String {
        let token = ada.device.headers["Authorization"] ?? ""
        let key = ada.key.headers["X-API-Key"] ?? ""
        let admin = dev.admin.headers["X-Admin-Secret"] ?? ""
        secrets["proxy password"] = "proxy-pass-4711-x"
        secrets["wrong admin secret"] = "wrong-admin-secret-0815"
        secrets["wrong device secret"] = "wrong-device-secret-0815"
        var answers: [Answer] = []
        func add(_ answer: Answer) { answers.append(answer) }
        add(try await dev.api.with("X-Admin-Secret", "wrong-admin-secret-0815").get("/admin/stats"))
        add(try await dev.api.with("X-Admin-Secret", key).get("/admin/stats"))
        add(try await dev.api.with("X-API-Key", admin).get("/devices"))
        add(try await dev.api.with("X-API-Key", key + "x").get("/devices"))
        add(try await dev.api.with("Authorization", token + "x").get("/devices/me"))
        add(try await dev.api.with("Authorization", "Bearer \(admin)").get("/devices/me"))
        add(try await dev.api.with("Authorization", key).get("/devices/me"))
        add(
            try await dev.api.post(
                "/devices/token", ["device_id": ada.deviceID, "device_secret": "wrong-device-secret-0815"]))
        add(
            try await dev.api.post(
                "/devices/token", ["device_id": ada.deviceSecret, "device_secret": ada.deviceSecret]))
        add(try await ada.device.post("/devices/me/proxy", ["proxy_url": "ftp://u:proxy-pass-4711-x@127.0.0.1:9"]))
        add(try await ada.device.post("/devices/me/proxy", ["proxy_url": "http://u:proxy-pass-4711-x@:0"]))
        add(try await bob.device.post("/webhooks", ["url": "http://u:proxy-pass-4711-x@10.0.0.1/"]))
        add(try await ada.device.post("/chats/\(ada.deviceSecret)/messages", ["text": "x"]))
        add(try await ada.device.get("/webhooks/\(ada.deviceSecret)"))
        add(
            try await ada.device.send(
                "POST", "/chats/\(bob.phone)/messages", Data("{\"text\":\"\(bob.deviceSecret)".utf8)))
        for answer in answers { #expect(answer.status >= 400, "\(answer.status) \(answer.text)") }
        // A path is the caller's own words; what it names may come back, and must not be logged.
        return answers.enumerated().filter { $0.offset != 12 && $0.offset != 13 }.map(\.element.text).joined(
            separator: "\n")
    }

    /// Every row of every table as text.
    private static func dump(_ uri: String) async throws -> String {
        let connection = try await DedicatedConnection.open(DatabaseConfiguration(uri: uri))
        let tables = try await connection.query(
            Statement(
                "leak.tables",
                """
                SELECT c.relname::text FROM pg_class c
                WHERE c.relnamespace = 'sb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                """))
        var text = ""
        for row in tables {
            let table: String = try row[0]
            let rows = try await connection.query(
                Statement("leak.\(table)", "SELECT string_agg(t::text, ' ') FROM sb.\(table) t"))
            let found: String? = try rows.first?[0]
            text += found ?? ""
        }
        await connection.close()
        return text
    }
}
