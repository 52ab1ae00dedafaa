import ArgumentParser
import AsyncHTTPClient
import Cryptography
import Database
import Foundation
import Logging
import Messaging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Storage
import Tenancy
import Transport

/// `switchboard doctor`: says what is wrong before a customer does.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check settings, database, migrations and the way to WhatsApp.",
        discussion:
            "One line per finding, ok, warn or fail. Exit status 0 without a failure, 1 with one, 78 for settings.")

    @Flag(help: "Only ask the running node whether it lives: for container health checks.")
    var live = false

    func run() async throws {
        let configuration = try Application.configuration()
        var findings = Findings()
        if live {
            await checkLife(configuration, &findings)
        } else {
            checkSettings(configuration, &findings)
            await checkDatabase(configuration, &findings)
            await checkWhatsApp(configuration, &findings)
        }
        if findings.hasFailure { throw ExitCode(1) }
    }

    private struct Findings {
        private(set) var hasFailure = false

        mutating func ok(_ what: String, _ detail: String) { Application.printLine("ok    \(what): \(detail)") }
        mutating func warn(_ what: String, _ detail: String) { Application.printLine("warn  \(what): \(detail)") }

        mutating func fail(_ what: String, _ detail: String) {
            hasFailure = true
            Application.printLine("fail  \(what): \(detail)")
        }
    }

    private func checkLife(_ configuration: SwitchboardConfiguration, _ findings: inout Findings) async {
        let url = Application.url(configuration, port: configuration.server.port) + "/health/live"
        // This machine asks itself: the certificate carries the name that others use.
        var settings = HTTPClient.Configuration(tlsConfiguration: .makeClientConfiguration())
        settings.tlsConfiguration?.certificateVerification = .none
        let client = HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: settings)
        do {
            let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(5))
            if response.status == .ok {
                findings.ok("node", "alive")
            } else {
                findings.fail("node", "answers \(response.status.code)")
            }
        } catch {
            findings.fail("node", "does not answer at \(url)")
        }
        try? await client.shutdown()
    }

    private func checkSettings(_ configuration: SwitchboardConfiguration, _ findings: inout Findings) {
        findings.ok("settings", "complete")
        for warning in configuration.warnings { findings.warn("settings", warning.description) }
        if !configuration.authentication.sealsSessionData {
            findings.warn("sealing", "Signal sessions are stored in clear: set SECRETS_KEY (32 bytes, base64)")
        }
    }

    private func checkDatabase(_ configuration: SwitchboardConfiguration, _ findings: inout Findings) async {
        let database = Node.databaseConfiguration(configuration)
        let pool = ConnectionPool(configuration: database, name: "doctor", logger: Self.silent)
        do {
            try await pool.waitUntilReachable(timeout: .seconds(5))
            let start = ContinuousClock.now
            let probe = Statement(
                "doctor.version", "SELECT current_setting('server_version'), current_setting('fsync')")
            let row = try await pool.query(probe).first
            let version: String = try row?[0] ?? "?"
            let fsync: String = try row?[1] ?? "?"
            findings.ok("database", "PostgreSQL \(version), answers in \(ContinuousClock.now - start)")
            if fsync != "on" {
                findings.warn("database", "fsync is off: a crash of the machine loses acknowledged messages")
            }
            if let major = version.split(separator: ".").first.flatMap({ Int($0) }), major < 15 {
                findings.fail("database", "PostgreSQL 15 or newer is needed")
            }
            let pending = try await Migrator(EmbeddedMigrations.all, logger: Self.silent).pending(database)
            if pending.isEmpty {
                findings.ok("migrations", "up to date")
                try await checkHistory(pool, &findings)
            } else {
                findings.fail("migrations", "\(pending.count) missing: run `switchboard migrate`")
            }
        } catch {
            findings.fail("database", "\(error)")
        }
        await pool.shutdown()
        await checkSealing(configuration, database, &findings)
    }

    /// Says whether fail-overs that lose commits can be noticed, and whether there was one since a node last looked.
    private func checkHistory(_ pool: ConnectionPool, _ findings: inout Findings) async throws {
        let (found, known) = try await StoreHistory.inspect(pool)
        guard let found else {
            return findings.warn(
                "fail-over",
                "the database does not tell its timeline (pg_walfile_name, pg_control_system): lost commits are not noticed"
            )
        }
        if found.system.isEmpty {
            findings.warn("fail-over", "pg_control_system may not be read: a dump loaded elsewhere is not noticed")
        }
        if let known, known != found {
            findings.warn(
                "fail-over", "the database was failed over or restored since a node last ran; nodes allow for it")
        } else {
            findings.ok("fail-over", "timeline \(found.timeline)")
        }
    }

    /// Says what older data keys, or none, still hold: what must not be dropped from `SECRETS_KEY_PREVIOUS` yet.
    private func checkSealing(
        _ configuration: SwitchboardConfiguration, _ database: DatabaseConfiguration, _ findings: inout Findings
    ) async {
        do {
            let authentication = configuration.authentication
            let envelope = try SecretEnvelope(
                key: authentication.secretsKey, previous: authentication.previousSecretsKeys,
                sealsSessionData: authentication.sealsSessionData)
            let storage = try await StorageDatabase.open(
                database, migrations: .off, patience: .seconds(5), logger: Self.silent)
            let rotation = KeyRotation(pool: storage.system, envelope: envelope)
            let fit = try await rotation.fit()
            let left = try await rotation.remaining()
            let nodes = try await NodeRepository(storage).live()
            await storage.shutdown()
            for node in nodes where nodes.count > 1 && AdvertisedAddress.isLoopback(node.advertiseURL) {
                findings.warn("node \(node.name)", "\(AdvertisedAddress.loopbackWarning); now \(node.advertiseURL)")
            }
            switch fit {
            case .fits: break
            case .partly(let columns):
                findings.fail(
                    "data key",
                    "no key given opens some values of \(columns.joined(separator: ", ")): "
                        + "name the one that sealed them in SECRETS_KEY_PREVIOUS")
                return
            case .nothing:
                findings.fail("data key", "SECRETS_KEY \(Node.StartError.cure)")
                return
            }
            if left.isEmpty {
                findings.ok("data key", "everything sealed is under the current key")
            } else {
                let list = left.sorted { $0.key < $1.key }.map { "\($0.value) in \($0.key)" }
                findings.warn("data key", "to be sealed again by a running node: \(list.joined(separator: ", "))")
            }
        } catch {
            findings.warn("data key", "cannot be looked at: \(error)")
        }
    }

    /// Connects and shakes hands as a device would, with a throw-away key; the server then drops us.
    private func checkWhatsApp(_ configuration: SwitchboardConfiguration, _ findings: inout Findings) async {
        do {
            let connection = try Node.connection(configuration.whatsApp)
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let socket = try await NoiseConnection.connect(
                connection, on: loop, staticKey: .generate(random: SystemRandom()), payload: [], handler: Ignoring()
            ).get()
            socket.close()
            findings.ok("WhatsApp", "\(connection.url) shook hands and its certificate holds")
        } catch {
            findings.fail("WhatsApp", "\(error)")
        }
    }

    private final class Ignoring: ConnectionHandler {
        func received(_ stanza: Stanza) {}
        func closed(reason: DisconnectReason) {}
    }

    private static var silent: Logger {
        var logger = Logger(label: "doctor")
        logger.logLevel = .critical
        return logger
    }
}
