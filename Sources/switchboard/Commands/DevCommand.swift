import ArgumentParser
import Cryptography
import Database
import Foundation
import Logging
import Sandbox
import Tenancy

/// `switchboard dev`: private PostgreSQL, sandbox and gateway in one process tree, with nothing to set up.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Bring up everything: a private PostgreSQL, the sandbox and the gateway.",
        discussion: """
            What is linked and stored lives in the data directory and survives restarts, also after a crash. Secrets are \
            made at the first start and kept there. The settings it runs with stand in dev.env there: \
            ENV_FILE=data/dev.env lets the other commands work beside it.
            """)

    @Option(help: "Directory of the cluster, the sandbox's world and the secrets.")
    var dataDir = "data"

    @Option(help: "Port of the API; 0 takes any free port.")
    var port = 7001

    @Option(
        help:
            "Port of the sandbox's chat listener; the control API and the media server take the next two. 0: any free ports."
    )
    var sandboxPort = 7070

    @Flag(help: "Print one line of JSON when everything accepts requests.")
    var json = false

    func run() async throws {
        let directory = URL(filePath: dataDir).standardizedFileURL.path
        let secrets = try DevSecrets.load(in: directory)
        let lock = try DirectoryLock(directory)
        defer { lock.release() }
        let postgres = try await EmbeddedPostgres.start(in: directory + "/postgres")
        do {
            try await run(in: directory, secrets, postgres)
        } catch {
            await postgres.stop()
            throw error
        }
        await postgres.stop()
    }

    private func run(in directory: String, _ secrets: DevSecrets, _ postgres: EmbeddedPostgres) async throws {
        var world = try SandboxConfiguration(environment: ProcessInfo.processInfo.environment)
        world.dataDirectory = directory + "/sandbox"
        world.seed = secrets.sandboxSeed
        world.chatPort = sandboxPort
        world.controlPort = sandboxPort == 0 ? 0 : sandboxPort + 1
        world.mediaPort = sandboxPort == 0 ? 0 : sandboxPort + 2
        let sandbox = SandboxServer(configuration: world, logger: Logger(label: "sandbox"))
        let addresses = try await sandbox.start()
        var settings = [
            "WHATSAPP_DATASTORE_URI": postgres.uri, "ADMIN_SECRET_KEY": secrets.adminSecret,
            "JWT_SECRET_KEY": secrets.tokenKey, "SECRETS_KEY": secrets.dataKey, "SERVER_ADDRESS": "127.0.0.1",
            "SERVER_PORT": "\(port)", "WHATSAPP_WS_URL": addresses.webSocket,
            "WHATSAPP_NOISE_ROOT_KEY": addresses.rootPublicKey, "WHATSAPP_WEB_ORIGIN": addresses.pages,
            "WHATSAPP_MEDIA_URL": addresses.media,
            "WEBHOOK_ALLOW_HTTP": "true", "EGRESS_ALLOW_CIDRS": "127.0.0.0/8,::1/128",
        ]
        let configuration = try Application.configuration(overrides: settings)
        let logger = Application.startLogging(configuration.logging, node: configuration.node.name)
        do {
            let node = try await Node.assemble(
                configuration, nodeID: secrets.nodeID,
                sandbox: .http(addresses.control, token: world.controlToken), drainNotice: .zero, logger: logger)
            try await node.run(until: Application.waitForStop) { port in
                settings["SERVER_PORT"] = "\(port)"
                try DevSecrets.write(settings: settings, in: directory)
                try announce(Application.url(configuration, port: port), secrets, postgres.uri, addresses)
            }
        } catch {
            await sandbox.stop()
            throw error
        }
        await sandbox.stop()
    }

    private func announce(_ api: String, _ secrets: DevSecrets, _ database: String, _ sandbox: SandboxAddresses) throws
    {
        if json {
            let line = ReadyLine(
                api: api, adminSecret: secrets.adminSecret, database: database, sandbox: .init(sandbox))
            return Application.printLine(try line.text)
        }
        Application.printLine(
            """

            Switchboard is up.
              API            \(api)
              dashboard      \(api)/dashboard   sign in with the admin secret
              admin secret   \(secrets.adminSecret)
              phones         \(sandbox.control)/   open this: make a phone, scan a QR, chat
              database       \(database)
              data           \(dataDir)

            Try:
              curl -s \(api)/admin/stats -H 'X-Admin-Secret: \(secrets.adminSecret)'
            Ctrl-C stops everything.
            """)
    }
}
