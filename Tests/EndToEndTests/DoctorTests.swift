import Foundation
import TestSupport
import Testing

/// How the commands that need no gateway end, and what they say.
@Suite("Doctor and start", .serialized)
struct DoctorTests {
    private static let secrets = [
        "ADMIN_SECRET_KEY": "an-admin-secret-of-32-characters-and-more",
        "JWT_SECRET_KEY": "a-token-secret-of-32-characters-and-more-too",
        "SECRETS_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    ]

    /// Runs a command with these settings and none of this process's.
    private func run(_ arguments: String..., settings: [String: String]) async throws -> (status: Int32, said: String) {
        let process = Process()
        process.executableURL = DevProcess.executable
        process.arguments = arguments
        let inherited = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME"].contains($0.key) }
        process.environment = inherited.merging(settings) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        // Where no .env is.
        process.currentDirectoryURL = URL(filePath: "/")
        try process.run()
        let said = try await Task.detached { try output.fileHandleForReading.readToEnd() ?? Data() }.value
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }

    @Test("doctor ends with 78 for settings, 1 without a database or with migrations to do, and says which")
    func failures() async throws {
        let unset = try await run("doctor", settings: [:])
        #expect(unset.status == 78 && unset.said.contains("config: ADMIN_SECRET_KEY: required"), "\(unset)")

        var settings = Self.secrets
        settings["WHATSAPP_DATASTORE_URI"] = "postgresql://nobody@127.0.0.1:1/none"
        settings["WHATSAPP_WS_URL"] = "ws://127.0.0.1:1/ws/chat"
        settings["ADMIN_SECRET_KEY"] = "only-twenty-letters!"
        let unreachable = try await run("doctor", settings: settings)
        #expect(unreachable.status == 1 && unreachable.said.contains("fail  database"), "\(unreachable)")
        #expect(unreachable.said.contains("fail  WhatsApp"), "\(unreachable)")
        #expect(unreachable.said.contains("warn  settings: config: ADMIN_SECRET_KEY"), "\(unreachable)")
        #expect(!unreachable.said.contains("only-twenty-letters!"))
        #expect(!unreachable.said.contains("stored in clear"), "\(unreachable)")
        settings["SECRETS_KEY"] = nil
        let unsealed = try await run("doctor", settings: settings)
        #expect(unsealed.said.contains("warn  sealing: Signal sessions are stored in clear"), "\(unsealed)")
        settings["SECRETS_KEY"] = Self.secrets["SECRETS_KEY"]

        try await PostgresFixture.withDatabase { test in
            settings["WHATSAPP_DATASTORE_URI"] = test.uri
            let empty = try await run("doctor", settings: settings)
            #expect(empty.status == 1, "\(empty)")
            #expect(empty.said.contains("missing: run `switchboard migrate`"), "\(empty)")
        }
        #expect(try await run("serve", "--check-config", settings: settings).status == 0)
        settings["SERVER_PORT"] = "high"
        let checked = try await run("serve", "--check-config", settings: settings)
        #expect(checked.status == 78 && checked.said.contains("SERVER_PORT"), "\(checked)")
    }

    @Test("a node with a certificate for a public name is found alive from the machine itself")
    func liveWithCertificate() async throws {
        try await withDirectory { directory in
            let (certificate, key) = (directory.appending(path: "c.pem").path, directory.appending(path: "k.pem").path)
            let maker = Process()
            maker.executableURL = URL(filePath: "/usr/bin/env")
            maker.arguments = [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                "-subj", "/CN=gateway.example", "-days", "2",
            ]
            maker.standardError = FileHandle.nullDevice
            try maker.run()
            maker.waitUntilExit()
            let files = ["HTTP_TLS_CERT_FILE": certificate, "HTTP_TLS_KEY_FILE": key]
            let dev = try await DevProcess.start(in: directory, environment: files)
            var settings = Self.secrets.merging(files) { _, new in new }
            settings["WHATSAPP_DATASTORE_URI"] = dev.ready["database"].string
            settings["SERVER_ADDRESS"] = "127.0.0.1"
            settings["SERVER_PORT"] = URL(string: dev.api.base)?.port.map { "\($0)" }
            let alive = try await run("doctor", "--live", settings: settings)
            #expect(alive.status == 0 && alive.said.contains("ok    node: alive"), "\(alive)")
            try await dev.stop()
        }
    }

    @Test(
        "beside a running gateway: all is well, a wrong root key and a foreign data key are found, a taken port is named"
    )
    func beside() async throws {
        try await withDev { dev in
            let port = try #require(URL(string: dev.api.base)?.port)
            var settings = Self.secrets
            settings["WHATSAPP_DATASTORE_URI"] = dev.ready["database"].string
            settings["WHATSAPP_WS_URL"] = dev.ready["sandbox"]["ws"].string
            settings["WHATSAPP_NOISE_ROOT_KEY"] = dev.ready["sandbox"]["root_public_key"].string
            settings["SERVER_ADDRESS"] = "127.0.0.1"
            settings["SERVER_PORT"] = "\(port)"
            let well = try await run("doctor", settings: settings)
            #expect(well.status == 0 && !well.said.contains("fail "), "\(well)")
            #expect(well.said.contains("ok    WhatsApp") && well.said.contains("ok    migrations"), "\(well)")
            #expect(try await run("doctor", "--live", settings: settings).status == 0)

            let taken = try await run("serve", settings: settings)
            #expect(taken.status == 1, "\(taken)")
            #expect(taken.said.contains("cannot listen: 127.0.0.1:\(port)"), "\(taken)")
            #expect(taken.said.contains("SERVER_PORT"), "\(taken)")
            let chat = try #require(dev.ready["sandbox"]["ws"].string.flatMap { URL(string: $0)?.port })
            let sandbox = try await run("sandbox", "--port", "\(chat)", settings: [:])
            #expect(sandbox.status == 1 && sandbox.said.contains("SANDBOX_CHAT_PORT or --port"), "\(sandbox)")

            settings["WHATSAPP_NOISE_ROOT_KEY"] = String(repeating: "ab", count: 32)
            let impostor = try await run("doctor", settings: settings)
            #expect(impostor.status == 1 && impostor.said.contains("fail  WhatsApp"), "\(impostor)")

            // From now on something is stored under the gateway's own key.
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            let foreign = try await run("doctor", settings: settings)
            #expect(
                foreign.status == 1 && foreign.said.contains("fail  data key: SECRETS_KEY opens nothing"), "\(foreign)")
            settings["SERVER_PORT"] = "0"
            let refused = try await run("serve", settings: settings)
            #expect(refused.status == 78 && refused.said.contains("config: SECRETS_KEY: opens nothing"), "\(refused)")

            settings["SERVER_PORT"] = "1"
            let dead = try await run("doctor", "--live", settings: settings)
            #expect(dead.status == 1 && dead.said.contains("does not answer"), "\(dead)")
        }
    }
}
