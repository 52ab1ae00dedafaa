import Logging
import NIOConcurrencyHelpers

/// Gathers log lines as their fields; the message is `msg`.
final class LogLines: Sendable {
    private let lines = NIOLockedValueBox<[[String: String]]>([])

    var all: [[String: String]] { lines.withLockedValue { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: lines) }
    }

    private struct Handler: LogHandler {
        let lines: NIOLockedValueBox<[[String: String]]>
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]

        init(lines: NIOLockedValueBox<[[String: String]]>) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            var fields = metadata.merging(event.metadata ?? [:]) { _, new in new }.mapValues { "\($0)" }
            fields["msg"] = "\(event.message)"
            lines.withLockedValue { $0.append(fields) }
        }
    }
}
