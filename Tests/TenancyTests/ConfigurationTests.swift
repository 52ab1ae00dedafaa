import Cryptography
import Foundation
import Tenancy
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    static let minimal = [
        "ADMIN_SECRET_KEY": "an-admin-secret-of-more-than-32-chars",
        "JWT_SECRET_KEY": "a-token-secret-of-more-than-32-characters",
        "WHATSAPP_DATASTORE_URI": "postgres://localhost/switchboard",
    ]

    private func problems(_ changes: [String: String]) -> [String] {
        let texts = Self.minimal.merging(changes) { _, new in new }
        do {
            _ = try SwitchboardConfiguration(texts: texts)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("the defaults are those of the documentation")
    func defaults() throws {
        let configuration = try SwitchboardConfiguration(texts: Self.minimal)
        #expect(configuration.server.port == 7001)
        #expect(configuration.server.bodyLimit == 8 << 20)
        #expect(configuration.server.mediaBodyLimit == 8 << 20)
        #expect(configuration.whatsApp.webSocketURL == "wss://web.whatsapp.com/ws/chat")
        #expect(configuration.webhooks.retrySchedule.count == 9)
        #expect(configuration.webhooks.tenantMaximumInFlight == 32)
        #expect(configuration.webhooks.deliveryRetentionDays == 7)
        var patient = Self.minimal
        (patient["WEBHOOK_MAX_AGE"], patient["WEBHOOK_DELIVERY_RETENTION_DAYS"]) = ("240h", "2")
        #expect(try SwitchboardConfiguration(texts: patient).webhooks.deliveryRetentionDays == 13)
        #expect(configuration.node.leaseLifetime == .seconds(15))
        #expect(!configuration.authentication.sealsSessionData)
        #expect(configuration.authentication.secretsKey.count == 32)
    }

    @Test("each problem names the variable, what is expected and what was found")
    func messages() {
        #expect(
            problems(["SERVER_PORT": "70000"]) == [#"config: SERVER_PORT: expected integer in 0..65535, got "70000""#])
        #expect(
            problems(["WEBHOOK_TIMEOUT": "60s"]) == [
                #"config: WEBHOOK_TIMEOUT: expected duration in 1s..30s, got "60s""#
            ])
        #expect(
            problems(["LOG_LEVEL": "loud"]) == [
                #"config: LOG_LEVEL: expected one of <debug, info, warn, error>, got "loud""#
            ])
        #expect(
            problems(["ADMIN_SECRET_KEY": "short"])
                == [
                    #"config: ADMIN_SECRET_KEY: expected at least 16 characters (openssl rand -hex 24), got "5 characters""#
                ])
        #expect(
            problems(["ADMIN_SECRET_KEY": ""]) == [
                "config: ADMIN_SECRET_KEY: required (or ADMIN_SECRET_KEY_FILE); "
                    + "expected at least 16 characters (openssl rand -hex 24)"
            ])
        #expect(
            problems(["WHATSAPP_TYPING_DELAY_MIN": "5s", "WHATSAPP_TYPING_DELAY_MAX": "2s"])
                == [
                    #"config: WHATSAPP_TYPING_DELAY_MAX: must not be smaller than WHATSAPP_TYPING_DELAY_MIN, got "2s""#
                ])
    }

    @Test("by default a lease outlives a missed renewal, and a dead node's devices are free within fifteen seconds")
    func leases() throws {
        let node = try SwitchboardConfiguration(texts: Self.minimal).node
        #expect(node.leaseLifetime == .seconds(15) && node.leaseRenewal == .seconds(5))
        let supervision = SessionSupervisor.Configuration(nodeID: UUID(), nodeName: "n")
        #expect(supervision.leaseTTL == 15 && supervision.renewInterval == 5 && supervision.watchInterval <= 1)
        // Who could not renew closes its sockets before anybody else may open one.
        #expect(supervision.selfFence + supervision.watchInterval < supervision.leaseTTL)
    }

    @Test("all problems are reported together")
    func together() {
        #expect(problems(["SERVER_PORT": "x", "CHAOS_STEPS": "0", "LEASE_TTL": "?"]).count == 3)
    }

    @Test("known sample secrets and equal secrets are refused")
    func secrets() {
        #expect(
            problems(["ADMIN_SECRET_KEY": "ThisIsAdminSecretKey"])
                == [#"config: ADMIN_SECRET_KEY: known sample value, refusing to start, got "20 characters""#])
        #expect(problems(["ADMIN_SECRET_KEY": "ThisIsAdminSecretKey", "ALLOW_INSECURE_DEFAULTS": "true"]).isEmpty)
        #expect(problems(["JWT_SECRET_KEY": Self.minimal["ADMIN_SECRET_KEY"] ?? ""]).count == 1)
    }

    @Test("lenient mode turns errors of optional settings into warnings")
    func lenient() throws {
        let texts = Self.minimal.merging(["SERVER_PORT": "x", "CONFIG_LENIENT": "1"]) { _, new in new }
        let configuration = try SwitchboardConfiguration(texts: texts)
        #expect(configuration.server.port == 7001)
        #expect(configuration.warnings.contains { $0.name == "SERVER_PORT" })
    }

    @Test("a misspelt variable gives a warning with the closest name")
    func unknown() throws {
        let texts = Self.minimal.merging(["WEBHOOK_WORKER": "3", "HTTP_PROXY": "x", "ADMIN_SECRET_KEY_FILE": "y"]) {
            _, new in new
        }
        let configuration = try SwitchboardConfiguration(texts: texts)
        let unknown = configuration.warnings.filter { $0.problem.hasPrefix("unknown") }
        #expect(
            unknown.map(\.description) == ["config: WEBHOOK_WORKER: unknown variable, did you mean WEBHOOK_WORKERS?"])
    }

    @Test("a setting that has no effect yet is named once, and refused where it promises protection")
    func effects() throws {
        let texts = Self.minimal.merging(["LOG_PII": "true", "GOWA_OS": " ", "SERVER_PORT": "8000"]) { _, new in new }
        let ineffective = try SwitchboardConfiguration(texts: texts).warnings.filter { $0.problem.contains("effect") }
        #expect(ineffective.map(\.description) == ["config: LOG_PII: has no effect yet"])
        for (name, value) in [
            ("WEBHOOK_PROXY_URL", "http://proxy:3128"), ("WHATSAPP_KEYS_DATASTORE_URI", "postgres://keys/keys"),
        ] {
            for lenient in ["false", "true"] {
                let found = problems([name: value, "CONFIG_LENIENT": lenient])
                #expect(found.count == 1 && found.first?.contains("\(name): is not supported yet") == true, "\(found)")
            }
        }
    }

    @Test("a setting that no code reads is known to have no effect")
    func unread() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources")
        let files = try #require(FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
        var code = ""
        for case let file as URL in files
        where file.pathExtension == "swift" && !file.lastPathComponent.hasPrefix("SettingTable") {
            code += try String(contentsOf: file, encoding: .utf8)
        }
        // The chaos test's, the only kind of database, the time zone, which the system reads, and what never did anything.
        let elsewhere: Set<String> = [
            "CHAOS_SEED", "CHAOS_SEEDS", "CHAOS_STEPS", "WHATSAPP_DATASTORE_TYPE", "TZ", "LIBWEBP_VERSION",
        ]
        for setting in SettingTable.all where setting.hasEffect && !elsewhere.contains(setting.name) {
            #expect(code.contains("\"\(setting.name)\""), "\(setting.name)")
        }
    }

    @Test("a certificate without an address that it covers is warned of")
    func advertised() throws {
        let tls = ["HTTP_TLS_CERT_FILE": "/tls/cert.pem", "HTTP_TLS_KEY_FILE": "/tls/key.pem"]
        func isWarned(_ more: [String: String]) throws -> Bool {
            let texts = Self.minimal.merging(more) { _, new in new }
            return try SwitchboardConfiguration(texts: texts).warnings.contains { $0.name == "NODE_ADVERTISE_URL" }
        }
        #expect(try isWarned(tls))
        #expect(try !isWarned(tls.merging(["NODE_ADVERTISE_URL": "https://n1.example.com:7001"]) { $1 }))
        #expect(try !isWarned([:]))
    }

    @Test(
        "an address that only the own machine reaches is known as such",
        arguments: [
            ("http://127.0.0.1:7001", true), ("http://127.3.2.1", true), ("http://[::1]:7001", true),
            ("https://localhost:7001/", true), ("http://10.0.0.2:7001", false), ("https://n1.example.com", false),
            ("http://[fd00::2]:7001", false), ("", false),
        ])
    func loopback(url: String, isLoopback: Bool) {
        #expect(AdvertisedAddress.isLoopback(url) == isLoopback)
    }

    @Test("secrets come from files too")
    func secretFiles() throws {
        var texts = Self.minimal
        texts["JWT_SECRET_KEY"] = nil
        texts["JWT_SECRET_KEY_FILE"] = "/run/secrets/jwt"
        let configuration = try SwitchboardConfiguration(texts: texts) { path in
            path == "/run/secrets/jwt" ? "  a-secret-from-a-file-0123456789abcdef\n" : ""
        }
        #expect(configuration.authentication.tokenKey.count == 37)
    }

    @Test("set but empty means none where the documentation says so, and the default elsewhere")
    func empty() throws {
        let texts = Self.minimal.merging(["WEBHOOK_RETRY_SCHEDULE": "", "SERVER_PORT": " "]) { _, new in new }
        let configuration = try SwitchboardConfiguration(texts: texts)
        #expect(configuration.webhooks.retrySchedule.isEmpty)
        #expect(configuration.server.port == 7001)
    }

    @Test(
        "base paths are normalised",
        arguments: [("", ""), ("/", ""), ("api", "/api"), ("/api/v1/", "/api/v1"), ("//x//", "/x")])
    func basePath(given: String, expected: String) throws {
        let texts = Self.minimal.merging(["HTTP_BASE_URL": given]) { _, new in new }
        #expect(try SwitchboardConfiguration(texts: texts).server.basePath == expected)
    }

    @Test(
        "value grammars",
        arguments: [
            ("SERVER_PORT", "0x1F90", true), ("SERVER_PORT", "-1", false), ("HTTP_BODY_LIMIT_SIZE", "10m", true),
            ("HTTP_BODY_LIMIT_SIZE", "1", false), ("HTTP_BODY_LIMIT_SIZE", "1T", false), ("LEASE_TTL", "1m30s", true),
            ("LEASE_TTL", "15", false), ("LEASE_TTL", "1.5.0s", false),
            ("WHATSAPP_DEVICE_RECOVERY_CRON_SPEC", "0 0 3 * JAN MON-FRI", true),
            ("WHATSAPP_DEVICE_RECOVERY_CRON_SPEC", "TZ=Europe/Lisbon @daily", true),
            ("WHATSAPP_DEVICE_RECOVERY_CRON_SPEC", "@every 5m", true),
            ("WHATSAPP_DEVICE_RECOVERY_CRON_SPEC", "* * * * *", false),
            ("WHATSAPP_DEVICE_RECOVERY_CRON_SPEC", "0 0 25 * * *", false),
            ("HTTP_CORS_ORIGIN", "https://*.example.com", true),
            ("HTTP_CORS_ORIGIN", "example.com", false), ("HTTP_TRUSTED_PROXIES", "10.0.0.0/8, ::1", true),
            ("HTTP_TRUSTED_PROXIES", "10.0.0.0/40", false), ("WHATSAPP_WS_URL", "ws://127.0.0.1:7070/ws/chat", true),
            ("WHATSAPP_WS_URL", "http://x", false), ("WHATSAPP_NOISE_ROOT_KEY", "00ff", false),
            ("LOG_PII", "yes", false),
            ("SECRETS_KEY", "AAAA", false), ("HTTP_BASE_URL", "/a?b", false),
        ])
    func grammar(name: String, value: String, isValid: Bool) {
        #expect(problems([name: value]).isEmpty == isValid)
    }

    @Test("address blocks contain what they should")
    func addressBlocks() throws {
        let block = try #require(AddressBlock("10.1.0.0/15"))
        #expect(block.contains("10.2.0.1") == false)
        #expect(block.contains("10.1.2.3"))
        #expect(block.contains("::ffff:10.1.2.3"))
        #expect(try #require(AddressBlock("fe80::/10")).contains("[fe80::1]"))
        #expect(try #require(AddressBlock("0.0.0.0/0")).contains("9.9.9.9"))
        #expect(AddressBlock("10.0.0.0/x") == nil)
    }
}

@Suite(".env files")
struct EnvironmentFileTests {
    @Test("the grammar of the documentation")
    func grammar() throws {
        let text = """
            # comment
            A=1
            export B = two words # tail
            C: three
            D='lit $A #x'
            E="a\\tb\\"c\\$ ${A}-$B"
            F=${HOME_DIR}/x$
            G=a#b\r
            H=

            """
        let values = try EnvironmentFile.parse(text, environment: ["HOME_DIR": "/srv/me", "A": "outer"])
        #expect(
            values == [
                "A": "1", "B": "two words", "C": "three", "D": "lit $A #x", "E": "a\tb\"c$ 1-two words",
                "F": "/srv/me/x$",
                "G": "a#b", "H": "",
            ])
    }

    @Test(
        "a malformed line is named by its number",
        arguments: [("A=1\nnonsense", 2), ("A=\"open", 1), ("\n\n1A=2", 3), ("A='x' y", 1)])
    func malformed(text: String, line: Int) {
        do {
            _ = try EnvironmentFile.parse(text, environment: [:])
            Issue.record("was accepted")
        } catch {
            #expect(error.line == line)
        }
    }
}

@Suite(".env.example")
struct ExampleFileTests {
    /// The repository's root, from the place of this file.
    private var path: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .appendingPathComponent(".env.example").path
    }

    @Test("the file in the repository is what the table of settings gives (SWITCHBOARD_WRITE_EXAMPLE=1 writes it)")
    func isCurrent() throws {
        let expected = SettingTable.exampleFile
        if ProcessInfo.processInfo.environment["SWITCHBOARD_WRITE_EXAMPLE"] != nil {
            try expected.write(toFile: path, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == expected)
    }

    @Test("the example is a valid file that sets only what is required")
    func isValid() throws {
        let values = try EnvironmentFile.parse(SettingTable.exampleFile, environment: [:])
        #expect(Set(values.keys) == ["ADMIN_SECRET_KEY", "JWT_SECRET_KEY", "WHATSAPP_DATASTORE_URI"])
    }

    @Test("every default in the table is valid and every line uncommented gives the defaults")
    func defaultsAreValid() throws {
        let lines = SettingTable.exampleFile.split(separator: "\n").map { line in
            line.hasPrefix("#") && !line.hasPrefix("# ") ? String(line.dropFirst()) : String(line)
        }
        let values = try EnvironmentFile.parse(lines.joined(separator: "\n"), environment: [:])
        #expect(values.count == SettingTable.all.count)
        let texts = values.merging(ConfigurationTests.minimal) { _, new in new }
        #expect(throws: Never.self) { try SwitchboardConfiguration(texts: texts) }
    }
}
