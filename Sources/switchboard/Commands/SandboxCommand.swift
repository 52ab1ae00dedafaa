import ArgumentParser
import Foundation
import Logging
import Sandbox

/// `switchboard sandbox`: WhatsApp's servers and phones alone, for any client.
struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Play WhatsApp's servers and phones, with no phone and no internet.",
        discussion: "Settings: SANDBOX_… variables; options win over them.")

    @Option(
        help: "Directory that keeps the world (accounts, linked devices, queues) over restarts. Default: in memory.")
    var dataDir: String?

    @Option(help: "Port of the chat listener (websocket); 0 takes any free port.")
    var port: Int?

    @Option(help: "Port of the control API and its page; 0 takes any free port.")
    var controlPort: Int?

    @Option(help: "Port of the media server; 0 takes any free port.")
    var mediaPort: Int?

    @Option(help: "Seed of the world: the same seed gives the same keys and ids.")
    var seed: String?

    @Flag(help: "Print one line of JSON when everything accepts requests.")
    var json = false

    func run() async throws {
        var configuration = try SandboxConfiguration(environment: ProcessInfo.processInfo.environment)
        configuration.dataDirectory = dataDir
        if let port { configuration.chatPort = port }
        if let controlPort { configuration.controlPort = controlPort }
        if let mediaPort { configuration.mediaPort = mediaPort }
        if let seed { configuration.seed = seed }
        let server = SandboxServer(configuration: configuration, logger: Logger(label: "sandbox"))
        let addresses = try await server.start()
        if json {
            Application.printLine(try ReadyLine(sandbox: .init(addresses)).text)
        } else {
            Application.printLine(
                """
                The sandbox accepts clients.
                  chat     \(addresses.webSocket)
                  control  \(addresses.control)
                  media    \(addresses.media)
                  root key \(addresses.rootPublicKey)
                """)
        }
        await Application.waitForStop()
        await server.stop()
    }
}
