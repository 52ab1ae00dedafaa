import ArgumentParser
import Foundation
import Gateway
import Logging
import Metrics
import Tenancy
import UnixSignals

/// What all commands share.
enum Application {
    static let version = "0.1.0"

    /// The settings, or exit status 78 with a line for every problem.
    static func configuration(overrides: [String: String] = [:]) throws -> SwitchboardConfiguration {
        do {
            return try SwitchboardConfiguration.load(overrides: overrides)
        } catch {
            for problem in error.problems { printError(problem.description) }
            throw ExitCode(78)
        }
    }

    /// Sets up logging and metrics for the process; loggers made before write with the library's default, and what was
    /// counted before is lost.
    ///
    /// - Parameter node: Stands in every line that machines read.
    static func startLogging(_ settings: LoggingSettings, node: String) -> Logger {
        let form: StructuredLogHandler.Form =
            switch settings.format {
            case .json: .json
            case .text: .text
            case nil: isatty(STDERR_FILENO) == 1 ? .text : .json
            }
        let level = Logger.Level(settings.level)
        MetricsSystem.bootstrap(MetricsRegistry.process)
        LoggingSystem.bootstrap { label in
            var handler = StructuredLogHandler(label: label, level: level, form: form)
            if form == .json { handler.metadata["node"] = "\(node)" }
            return handler
        }
        return Logger(label: "switchboard")
    }

    /// Returns when the process is asked to end (SIGINT, SIGTERM). A second signal ends it at once with status 130.
    static func waitForStop() async {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let (first, arrival) = AsyncStream.makeStream(of: Void.self)
        Task.detached {
            var count = 0
            for await _ in signals {
                count += 1
                if count > 1 { exit(130) }
                arrival.finish()
            }
        }
        for await _ in first {}
    }

    static func url(_ configuration: SwitchboardConfiguration, port: Int) -> String {
        let scheme = configuration.server.certificateFile == nil ? "http" : "https"
        let address = configuration.server.address
        let host = ["0.0.0.0", "::", ""].contains(address) ? "127.0.0.1" : address
        return "\(scheme)://\(host):\(port)\(configuration.server.basePath)"
    }

    /// Writes one line to standard output at once; other programs wait for it.
    static func printLine(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    static func printError(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}

extension Logger.Level {
    fileprivate init(_ level: LoggingSettings.Level) {
        self =
            switch level {
            case .debug: .debug
            case .info: .info
            case .warn: .warning
            case .error: .error
            }
    }
}
