import Database
import Foundation

/// What is measured: `switchboard serve`, a sandbox and a PostgreSQL with full durability, each a process of its own.
final class LoadRig: @unchecked Sendable {
    // Unchecked: one task at a time, that of the running scenario, changes anything.
    let directory: String
    var world: LoadWorld
    let postgres: EmbeddedPostgres
    let sandbox: LoadProgram
    private(set) var gateway: LoadProgram?
    /// What the next gateway speaks to in the place of the sandbox, or of PostgreSQL.
    var frontOfSandbox: LoadRelay?
    var frontOfDatabase: LoadRelay?
    /// Of the relay to the sandbox; nil: no TLS.
    private let certificate: LoadCertificate?

    static func start(in directory: String, tls: Bool = false) async throws -> LoadRig {
        let directory = URL(filePath: directory).standardizedFileURL.path
        let world = try LoadWorld.load(in: directory)
        let postgres = try await EmbeddedPostgres.start(in: directory + "/postgres")
        do {
            let sandbox = try await LoadProgram.start(
                [
                    "sandbox", "--json", "--data-dir", directory + "/sandbox", "--port", "0", "--control-port", "0",
                    "--media-port", "0", "--seed", "load",
                ], log: directory + "/sandbox.log")
            let rig = LoadRig(
                directory, world, postgres, sandbox, tls ? try LoadCertificate(in: directory) : nil)
            if tls { _ = try await rig.relayToSandbox() }
            return rig
        } catch {
            await postgres.stop()
            throw error
        }
    }

    private init(
        _ directory: String, _ world: LoadWorld, _ postgres: EmbeddedPostgres, _ sandbox: LoadProgram,
        _ certificate: LoadCertificate?
    ) {
        self.directory = directory
        self.world = world
        self.postgres = postgres
        self.sandbox = sandbox
        self.certificate = certificate
    }

    var api: LoadAPI { LoadAPI(base: gateway?.ready["api"] ?? "") }
    var admin: LoadAPI { api.with("X-Admin-Secret", world.adminSecret) }
    var control: LoadAPI { LoadAPI(base: sandbox.sandbox["control"] ?? "") }

    /// Starts `switchboard serve` and waits for its ready line.
    ///
    /// - Parameters:
    ///   - maximum: Devices that it takes.
    ///   - isEmpty: With a database of its own that has no device.
    @discardableResult
    func startGateway(maximum: Int = 1_000_000, isEmpty: Bool = false) async throws -> LoadProgram {
        var database =
            isEmpty ? postgres.uri.replacingOccurrences(of: "/switchboard?", with: "/postgres?") : postgres.uri
        if let frontOfDatabase {
            database = "postgresql://switchboard@127.0.0.1:\(frontOfDatabase.port)/switchboard?sslmode=disable"
        }
        var environment = [
            "ENV_FILE": directory + "/gateway.env", "WHATSAPP_DATASTORE_URI": database,
            "ADMIN_SECRET_KEY": world.adminSecret,
            "JWT_SECRET_KEY": world.tokenKey, "SECRETS_KEY": world.dataKey, "SERVER_ADDRESS": "127.0.0.1",
            "SERVER_PORT": "0", "WHATSAPP_WS_URL": sandbox.sandbox["ws"] ?? "",
            "WHATSAPP_NOISE_ROOT_KEY": sandbox.sandbox["root_public_key"] ?? "",
            "WHATSAPP_MEDIA_URL": sandbox.sandbox["media"] ?? "", "WEBHOOK_ALLOW_HTTP": "true",
            "EGRESS_ALLOW_CIDRS": "127.0.0.0/8,::1/128", "WHATSAPP_AUTO_TYPING_ENABLED": "false",
            // Each request of the token benchmark comes from a client of its own.
            "HTTP_TRUSTED_PROXIES": "127.0.0.0/8", "LOG_FORMAT": "json",
            "NODE_MAX_DEVICES": "\(maximum)",
        ]
        if let frontOfSandbox {
            let scheme = certificate == nil ? "ws://127.0.0.1" : "wss://localhost"
            environment["WHATSAPP_WS_URL"] = "\(scheme):\(frontOfSandbox.port)/ws/chat"
            environment["WHATSAPP_TLS_CA_FILE"] = certificate?.file
        }
        let pages = (sandbox.sandbox["ws"] ?? "").replacingOccurrences(of: "ws://", with: "http://")
        environment["WHATSAPP_WEB_ORIGIN"] = pages.replacingOccurrences(of: "/ws/chat", with: "")
        environment.merge(ProcessInfo.processInfo.environment.filter { environment[$0.key] != nil }) { _, own in own }
        // Empty: a .env of the place where this runs is not for this gateway.
        _ = FileManager.default.createFile(atPath: directory + "/gateway.env", contents: nil)
        let program = try await LoadProgram.start(
            ["serve", "--json"], environment: environment, log: directory + "/gateway.log")
        gateway = program
        return program
    }

    /// A relay to the sandbox's chat socket that the next gateway takes.
    func relayToSandbox() async throws -> LoadRelay {
        guard let port = URL(string: sandbox.sandbox["ws"] ?? "")?.port else {
            throw LoadProgram.Failure(description: "the sandbox named no socket")
        }
        let relay = try await LoadRelay.start(to: .port(port), tls: certificate?.context)
        frontOfSandbox = relay
        return relay
    }

    func stopGateway() async {
        await gateway?.stop()
        gateway = nil
    }

    func stop() async {
        await stopGateway()
        await sandbox.stop()
        await postgres.stop()
    }

    /// Processor time used up to now.
    var processorTimes: ProcessorTimes {
        ProcessorTimes(
            gateway: gateway.map { ProcessUsage.processorSeconds($0.processID) } ?? 0,
            postgres: ProcessUsage.processorSeconds(postgres.processID, withChildren: true),
            sandbox: ProcessUsage.processorSeconds(sandbox.processID),
            generator: ProcessUsage.processorSeconds(ProcessInfo.processInfo.processIdentifier))
    }

    /// Waits until `count` devices are logged in here. Throws after `limit` seconds.
    func waitForLogins(_ count: Int, limit: Double = 600) async throws {
        let deadline = ContinuousClock.now + .seconds(limit)
        while try await loggedIn() < count {
            guard ContinuousClock.now < deadline else {
                throw LoadProgram.Failure(description: "\(try await loggedIn()) of \(count) devices logged in")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Devices that are logged in, by the gateway's own count.
    func loggedIn() async throws -> Int {
        let page = try await admin.text("/metrics")
        let prefix = #"switchboard_sessions{state="logged_in"} "#
        let line = page.split(separator: "\n").first { $0.hasPrefix(prefix) }
        return line.flatMap { Double($0.dropFirst(prefix.count)) }.map { Int($0) } ?? 0
    }
}
