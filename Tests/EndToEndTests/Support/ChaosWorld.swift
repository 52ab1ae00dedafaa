import Database
import Foundation
import Synchronization
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// A PostgreSQL, a sandbox and a gateway in processes of their own, each of which can be killed while the others go on.
actor ChaosWorld {
    private static let adminSecret = "chaos-admin-secret-0123456789abcdef"

    private let directory: URL
    private let sandboxProcess: ProgramProcess
    private let trust: (ws: String, key: String, control: String)
    private var postgres: EmbeddedPostgres
    private var node: ProgramProcess?
    private var nodes = 0
    /// Where the gateway listens now: another port after each start.
    private nonisolated let address = Mutex("")

    nonisolated let sandbox: API
    nonisolated var api: API { API(base: address.withLock { $0 }) }
    nonisolated var admin: API { api.with("X-Admin-Secret", Self.adminSecret) }

    private init(directory: URL, sandbox: ProgramProcess, postgres: EmbeddedPostgres) throws {
        guard let ws = sandbox.ready["sandbox"]["ws"].string,
            let key = sandbox.ready["sandbox"]["root_public_key"].string,
            let control = sandbox.ready["sandbox"]["control"].string
        else { throw NeverHappened(description: "the sandbox's ready line lacks members: \(sandbox.ready)") }
        self.directory = directory
        sandboxProcess = sandbox
        trust = (ws, key, control)
        self.postgres = postgres
        self.sandbox = API(base: control + "/v1")
    }

    static func start(in directory: URL) async throws -> ChaosWorld {
        let postgres = try await EmbeddedPostgres.start(in: directory.path + "/postgres")
        let sandbox = try await ProgramProcess.start(
            ["sandbox", "--port", "0", "--control-port", "0", "--media-port", "0", "--json"], name: "sandbox",
            in: directory)
        let world = try ChaosWorld(directory: directory, sandbox: sandbox, postgres: postgres)
        try await world.startNode()
        return world
    }

    /// - Returns: the exit status of the gateway that ran last.
    func stop() async throws -> Int32 {
        node?.signal(SIGTERM)
        let status = try await node?.waitForEnd() ?? 0
        node = nil
        sandboxProcess.end()
        await postgres.stop()
        return status
    }

    /// Ends everything however it stands.
    func abort() async {
        node?.end()
        sandboxProcess.end()
        await postgres.stop()
    }

    // MARK: What goes wrong

    /// SIGKILL to the gateway, and another one over the same database.
    func killNode() async throws {
        node?.signal(SIGKILL)
        _ = try await node?.waitForEnd()
        node = nil
        try await startNode()
    }

    /// SIGTERM to the gateway, and another one over the same database.
    ///
    /// - Returns: the exit status of the one that ended.
    func restartNode() async throws -> Int32 {
        node?.signal(SIGTERM)
        let status = try await node?.waitForEnd() ?? 0
        node = nil
        try await startNode()
        return status
    }

    /// SIGKILL to PostgreSQL's postmaster; it comes back after `pause`.
    func killPostgres(pause: Duration) async throws {
        let killed = postgres
        kill(killed.processID, SIGKILL)
        // Asking takes note of its end: until then it counts as a process that runs.
        _ = try await eventually("the end of PostgreSQL") { killed.isRunning ? nil : true }
        try await Task.sleep(for: pause)
        let path = directory.path + "/postgres"
        // Its children may hold the shared memory for a moment longer.
        postgres = try await eventually("PostgreSQL after SIGKILL", within: .seconds(90)) {
            try? await EmbeddedPostgres.start(in: path)
        }
    }

    /// Resets the socket of a device under the gateway's feet.
    nonisolated func cutSocket(of phone: String) async throws {
        let devices = try await sandbox.get("/accounts/\(phone)/devices").json.array
        for device in devices {
            guard let id = device["device"].int, id != 0 else { continue }
            _ = try await sandbox.post("/accounts/\(phone)/devices/\(id)/disconnect", ["how": "reset"])
        }
    }

    private func startNode() async throws {
        nodes += 1
        let started = try await ProgramProcess.start(
            ["serve", "--json"], name: "serve\(nodes)", in: directory,
            environment: [
                "WHATSAPP_DATASTORE_URI": postgres.uri, "ADMIN_SECRET_KEY": Self.adminSecret,
                "JWT_SECRET_KEY": "chaos-token-secret-0123456789abcdef",
                "SECRETS_KEY": Data(repeating: 7, count: 32).base64EncodedString(), "SERVER_ADDRESS": "127.0.0.1",
                "SERVER_PORT": "0", "WHATSAPP_WS_URL": trust.ws, "WHATSAPP_NOISE_ROOT_KEY": trust.key,
                "WHATSAPP_WEB_ORIGIN": trust.control, "WEBHOOK_ALLOW_HTTP": "true",
                "EGRESS_ALLOW_CIDRS": "127.0.0.0/8,::1/128", "LEASE_TTL": "5s", "LEASE_RENEW": "1s",
                "LOG_LEVEL": "info", "LOG_FORMAT": "text", "WHATSAPP_AUTO_PRESENCE_ENABLED": "false",
                "NODE_ID": "chaos",
            ])
        guard let base = started.ready["api"].string else {
            throw NeverHappened(description: "no address in \(started.ready)")
        }
        node = started
        address.withLock { $0 = base }
    }

    // MARK: What the database says

    /// Texts of the messages that a device has stored.
    func bodies(of deviceID: String) async throws -> [String] {
        try await rows(
            Statement(
                "chaos.bodies",
                """
                SELECT m.body FROM sb.messages m JOIN sb.devices d USING (did)
                WHERE d.device_id = $1::text::uuid AND m.body IS NOT NULL
                """), [.text(deviceID)]
        ).map { try $0[0] }
    }

    /// Messages that arrived and could not be decrypted.
    func unreadable() async throws -> Int {
        try await rows(Statement("chaos.unreadable", "SELECT count(*) FROM sb.messages WHERE type = 'undecryptable'"))
            .first?[0] ?? 0
    }

    private func rows(_ statement: Statement, _ parameters: [SQLValue] = []) async throws -> [Row] {
        let connection = try await DedicatedConnection.open(DatabaseConfiguration(uri: postgres.uri))
        let rows = try await connection.query(statement, parameters)
        await connection.close()
        return rows
    }

    /// The end of what the last gateways wrote.
    func logTail(_ count: Int = 4000) -> String {
        (max(1, nodes - 1)...max(1, nodes)).map { number in
            let text = try? String(contentsOf: directory.appending(path: "serve\(number).log"), encoding: .utf8)
            return "gateway \(number):\n\(text?.suffix(count) ?? "nothing")"
        }.joined(separator: "\n")
    }
}
