import ArgumentParser
import Foundation
import Logging
import Tenancy

/// `switchboard serve`: a node, with everything from the environment.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a gateway node against a PostgreSQL and WhatsApp.",
        discussion: """
            Settings come from the environment and .env; .env.example lists them. Exit status 78: a setting is wrong, and \
            each problem stands on a line of standard error.
            """)

    @Flag(help: "Check the settings and end.")
    var checkConfig = false

    @Flag(help: "Print one line of JSON when requests are accepted.")
    var json = false

    func run() async throws {
        let configuration = try Application.configuration()
        if checkConfig { return Application.printLine("config: ok") }
        let logger = Application.startLogging(configuration.logging, node: configuration.node.name)
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let node: Node
        do {
            node = try await Node.assemble(configuration, logger: logger)
        } catch let error as Node.StartError {
            Application.printError(error.description)
            throw ExitCode(78)
        }
        try await node.run(until: Application.waitForStop) { port in
            guard json else { return }
            Application.printLine(try ReadyLine(api: Application.url(configuration, port: port)).text)
        }
    }
}
