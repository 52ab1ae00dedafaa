import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// One `switchboard …` that prints a line of JSON when it is ready.
final class ProgramProcess: @unchecked Sendable {  // `process` is only touched by the test that owns it
    let ready: JSON
    private let process: Process
    private let log: URL
    private let standardOutput: FileHandle

    var api: API { API(base: ready["api"].string ?? "") }

    /// - Parameter name: Of its log file in `directory`.
    static func start(
        _ arguments: [String], name: String, in directory: URL, environment: [String: String] = [:]
    ) async throws -> ProgramProcess {
        let process = Process()
        process.executableURL = DevProcess.executable
        process.arguments = arguments
        process.currentDirectoryURL = directory
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        let log = directory.appending(path: "\(name).log")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        do {
            let line = try await DevProcess.firstLine(of: output.fileHandleForReading, process: process)
            return ProgramProcess(
                process: process, ready: try JSON(line), log: log, standardOutput: output.fileHandleForReading)
        } catch {
            process.terminate()
            print("\(name) said:\n\((try? String(contentsOf: log, encoding: .utf8))?.suffix(4000) ?? "nothing")")
            throw error
        }
    }

    private init(process: Process, ready: JSON, log: URL, standardOutput: FileHandle) {
        self.process = process
        self.ready = ready
        self.log = log
        self.standardOutput = standardOutput
    }

    /// All that it wrote to either output; for a process that has ended.
    func wholeOutput() throws -> [UInt8] {
        let rest = try standardOutput.readToEnd() ?? Data()
        return Array("\(ready)\n".utf8) + Array(rest) + Array(try Data(contentsOf: log))
    }

    var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// - Returns: the exit status.
    @discardableResult
    func waitForEnd() async throws -> Int32 {
        try await eventually("the end of a process", within: .seconds(60)) {
            process.isRunning ? nil : process.terminationStatus
        }
    }

    /// Ends it however it stands.
    func end() {
        guard process.isRunning else { return }
        signal(SIGCONT)
        signal(SIGKILL)
    }
}

/// A sandbox and nodes on one database, each a process.
struct Cluster {
    /// `LEASE_TTL` of the nodes.
    static let leaseSeconds = 5.0
    static let adminSecret = "a-cluster-admin-secret-of-32-characters-or-more"

    let sandbox: ProgramProcess
    let nodes: [ProgramProcess]
    /// URI of their database.
    let database: String
    let directory: URL

    /// `NODE_ID` of the nodes, in their order.
    var names: [String] { nodes.indices.map { "node\($0 + 1)" } }

    var world: API { API(base: (sandbox.ready["sandbox"]["control"].string ?? "") + "/v1") }

    /// Runs `body` with `count` nodes on a database of their own and ends everything. Leases last five seconds.
    ///
    /// - Parameter settings: Environment variables of the nodes, beside the usual ones.
    static func run(
        _ count: Int, settings: [String: String] = [:], _ body: (Cluster) async throws -> Void
    ) async throws {
        let database = try await PostgresFixture.database()
        try await run(count, database: database.uri, settings: settings, body)
        try? await database.drop()
    }

    /// As above, on the database at `uri`.
    static func run(
        _ count: Int, database uri: String, settings: [String: String] = [:], _ body: (Cluster) async throws -> Void
    ) async throws {
        try await withDirectory { directory in
            var started: [ProgramProcess] = []
            defer { for process in started { process.end() } }
            do {
                let sandbox = try await ProgramProcess.start(
                    ["sandbox", "--json", "--port", "0", "--control-port", "0", "--media-port", "0"], name: "sandbox",
                    in: directory)
                started.append(sandbox)
                var nodes: [ProgramProcess] = []
                for number in 1...count {
                    let node = try await ProgramProcess.start(
                        ["serve", "--json"], name: "node\(number)", in: directory,
                        environment: environment(uri, sandbox, name: "node\(number)")
                            .merging(settings) { _, new in new })
                    started.append(node)
                    nodes.append(node)
                }
                try await body(Cluster(sandbox: sandbox, nodes: nodes, database: uri, directory: directory))
            } catch {
                for node in started.dropFirst() { print("a node said:\n\(node.output.suffix(4000))") }
                throw error
            }
        }
    }

    /// Starts one more node; the caller ends it.
    func start(_ name: String, settings: [String: String] = [:]) async throws -> ProgramProcess {
        try await ProgramProcess.start(
            ["serve", "--json"], name: name, in: directory,
            environment: Self.environment(database, sandbox, name: name).merging(settings) { _, new in new })
    }

    private static func environment(_ uri: String, _ sandbox: ProgramProcess, name: String) -> [String: String] {
        let part = sandbox.ready["sandbox"]
        return [
            "WHATSAPP_DATASTORE_URI": uri, "ADMIN_SECRET_KEY": adminSecret,
            "JWT_SECRET_KEY": "a-cluster-token-secret-of-32-characters-or-more", "SERVER_ADDRESS": "127.0.0.1",
            "SERVER_PORT": "0", "DB_POOL_SIZE": "3", "NODE_ID": name, "LEASE_TTL": "\(Int(leaseSeconds))s",
            "LEASE_RENEW": "1s",
            "WHATSAPP_WS_URL": part["ws"].string ?? "", "WHATSAPP_NOISE_ROOT_KEY": part["root_public_key"].string ?? "",
            "WHATSAPP_WEB_ORIGIN": part["control"].string ?? "", "WEBHOOK_ALLOW_HTTP": "true",
            "EGRESS_ALLOW_CIDRS": "127.0.0.0/8", "LOG_FORMAT": "text",
        ]
    }
}

/// A linked device that is called through any node.
struct ClusterDevice: Sendable {
    let phone: String
    let token: String

    /// Makes account, device and link, all through `node`, which so comes to own it.
    static func link(_ phone: String, key: String, through node: API, world: API) async throws -> ClusterDevice {
        let account = try await world.post("/accounts", ["phone": phone, "push_name": "P\(phone.suffix(2))"])
        guard account.status < 300 else { throw NeverHappened(description: account.text) }
        // A key is known to the other nodes within a moment.
        let made = try await eventually("a device for \(phone)", within: .seconds(60)) { () -> Answer? in
            let made = try await node.with("X-API-Key", key).post("/devices", ["device_name": phone])
            return made.status == 401 ? nil : made
        }
        guard let token = made.json["data"]["token"].string else { throw NeverHappened(description: made.text) }
        let device = ClusterDevice(phone: phone, token: token)
        let login = try await device.on(node).post("/devices/me/login?output=json")
        guard let code = login.json["data"]["code"].string else { throw NeverHappened(description: login.text) }
        let scan = try await world.post("/accounts/\(phone)/scan?wait=paired", ["qr": code])
        guard scan.status == 200 else { throw NeverHappened(description: scan.text) }
        try await device.waitForLogin(through: node)
        return device
    }

    func on(_ node: API) -> API { node.with("Authorization", "Bearer \(token)") }

    func waitForLogin(through node: API, within limit: Duration = .seconds(60)) async throws {
        _ = try await eventually("the login of \(phone)", within: limit) {
            let status = try? await on(node).get("/devices/me/status")
            return status?.json["data"]["is_logged_in"].bool == true ? true : nil
        }
    }

    /// Sends under a key until it is answered with success: what a careful customer does.
    func send(
        _ text: String, to phone: String, key: String, through node: API, within limit: Duration = .seconds(90)
    ) async throws {
        let last = LastAnswer()
        do {
            _ = try await eventually("sending \(text)", within: limit) {
                let answer = try? await on(node).post(
                    "/chats/\(phone)/messages", ["text": text], headers: ["Idempotency-Key": key])
                last.text = answer?.text ?? last.text
                return answer?.status == 200 ? true : nil
            }
        } catch {
            throw NeverHappened(description: "\(error): \(last.text)")
        }
    }

    /// Resets its socket and every login from now on, until the rule that is returned is deleted from `world`.
    func cutOff(in world: API) async throws -> Int {
        let rule = try await world.post(
            "/faults", ["match": ["kind": "login", "account": phone], "action": "reset", "count": 0])
        guard let id = rule.json["id"].int else { throw NeverHappened(description: rule.text) }
        for device in try await world.get("/accounts/\(phone)/devices").json.array {
            guard let number = device["device"].int, number != 0 else { continue }
            _ = try await world.post("/accounts/\(phone)/devices/\(number)/disconnect", ["how": "reset"])
        }
        return id
    }

    /// Sends once, under a key.
    func sendOnce(_ text: String, to phone: String, key: String?, through node: API) async throws -> Answer {
        try await on(node).post(
            "/chats/\(phone)/messages", ["text": text], headers: key.map { ["Idempotency-Key": $0] } ?? [:])
    }

    /// What `GET /messages/{message_id}` says of an own message.
    func fate(_ messageID: String, through node: API) async throws -> JSON {
        try await on(node).get("/messages/\(messageID)").json["data"]
    }

    /// Texts of the stored messages of a chat, newest first.
    func stored(_ phone: String, through node: API) async throws -> [String] {
        let answer = try await on(node).get("/chats/\(phone)/messages?limit=200")
        return answer.json["data"]["messages"].array.compactMap { $0["text"].string }
    }
}

/// What was answered last, for the report of a failure.
final class LastAnswer: @unchecked Sendable {  // written and read by one test task
    var text = ""
}
