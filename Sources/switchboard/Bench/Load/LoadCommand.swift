import ArgumentParser
import Foundation

/// `switchboard bench load`: measures the whole product under load.
struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Measure a gateway under load, with a sandbox and PostgreSQL beside it.",
        discussion: """
            Starts a private PostgreSQL with full durability, a sandbox and `switchboard serve`, each a process of its own, \
            on loopback; links the devices that are missing; and prints a line of JSON for each scenario. Settings of the \
            gateway may be given by the environment. Linked devices stay in the data directory for the next run.

            start    an empty server: time to the port and to the first answer, memory
            http     GET /devices/me over 64 connections
            pages    pages of 100 devices and of 100 messages
            token    POST /devices/token
            lag      small requests beside large ones
            send     texts of one device one after another, then of 16 devices at once
            receive  texts of phones until the webhook's endpoint has them: at 200 a second, then as fast as they go
            cost     processor time of a text, spread over all devices
            restart  start with all devices linked until all are logged in
            idle     memory of a linked device, after its login and after some traffic

            Only when named, because they take long or disturb the gateway:
            mixed    small requests beside texts both ways
            groups   texts to groups of 8 to 1,024
            soak     texts both ways at --rate, and memory each minute
            cut      no network to WhatsApp for --duration seconds
            slow     a database that answers late, then not at all
            """)

    enum Scenario: String, CaseIterable, ExpressibleByArgument {
        case start, http, pages, token, lag, send, receive, cost, restart, idle
        case mixed, groups, soak, cut, slow

        /// What is measured when nothing is named.
        static let usual: [Scenario] = [.start, .http, .pages, .token, .lag, .send, .receive, .cost, .restart, .idle]
    }

    @Argument(help: "What to measure; everything when nothing is named.")
    var scenarios: [Scenario] = []

    @Option(help: "Directory of the databases, the sandbox's world and the logs.")
    var dataDir: String

    @Option(help: "Devices to have linked.")
    var devices = 64

    @Option(help: "Time of each measurement, in seconds.")
    var duration = 10.0

    @Option(help: "How often each measurement is taken.")
    var runs = 3

    @Option(help: "Texts a second in each direction, for soak.")
    var rate = 10.0

    @Flag(help: "TLS between the gateway and the sandbox, by a relay in this process.")
    var tls = false

    @Option(help: "A file of SQL to run before the measurements, with psql.")
    var sql: String?

    func run() async throws {
        let signals = LoadProgram.endAtSignals()
        defer { for signal in signals { signal.cancel() } }
        let rig = try await LoadRig.start(in: dataDir, tls: tls)
        do {
            try await measure(rig)
        } catch {
            await rig.stop()
            throw error
        }
        await rig.stop()
    }

    private func measure(_ rig: LoadRig) async throws {
        let wanted = scenarios.isEmpty ? Scenario.usual : scenarios
        if wanted.contains(.start) {
            for _ in 0..<runs { try await rig.measureStart() }
        }
        if wanted == [.start] { return }
        if let sql {
            try await rig.startGateway()  // Makes the tables.
            await rig.stopGateway()
            try await rig.runSQL(sql)
        }
        try await rig.startGateway()
        try await rig.link(devices)
        try await rig.waitForLogins(rig.world.devices.count)
        for _ in 0..<runs {
            if wanted.contains(.http) { try await rig.measureHTTP(seconds: duration) }
            if wanted.contains(.token) { try await rig.measureTokens(seconds: duration) }
            if wanted.contains(.lag) { try await rig.measureLag(seconds: duration) }
            if wanted.contains(.send) { try await rig.measureSends(seconds: duration) }
            if wanted.contains(.receive) { try await rig.measureReceiving(seconds: duration) }
            if wanted.contains(.pages) { try await rig.measurePages(seconds: duration) }
            if wanted.contains(.mixed) { try await rig.measureMixed(seconds: duration) }
            if wanted.contains(.cost) { try await rig.measureCost(seconds: duration) }
        }
        if wanted.contains(.groups) { try await rig.measureGroups(texts: 100) }
        if wanted.contains(.soak) { try await rig.measureSoak(seconds: duration, rate: rate) }
        if wanted.contains(.cut) { try await rig.measureCut(devices: devices, seconds: duration) }
        if wanted.contains(.slow) { try await rig.measureSlowDatabase(devices: devices, seconds: duration) }
        if wanted.contains(.restart) || wanted.contains(.idle) {
            for _ in 0..<runs {
                try await rig.measureRestart(devices: devices, idle: wanted.contains(.idle), traffic: duration)
            }
        }
    }
}
