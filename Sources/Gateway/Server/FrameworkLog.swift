import Logging

/// The HTTP framework's own lines: of interest from warnings up, and without the one that it writes at error level whenever
/// its listener is cancelled, which is how requests end that outlive a shutdown.
struct FrameworkLog: LogHandler {
    private static let cosmetic = "Waiting on child channel: CancellationError()"

    private let destination: Logger
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    static func logger(_ destination: Logger) -> Logger {
        Logger(label: destination.label) { _ in
            FrameworkLog(destination: destination, logLevel: max(.warning, destination.logLevel))
        }
    }

    private init(destination: Logger, logLevel: Logger.Level) {
        self.destination = destination
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if "\(event.message)" == Self.cosmetic { return }
        destination.log(
            level: event.level, event.message, metadata: metadata.merging(event.metadata ?? [:]) { _, new in new })
    }
}
