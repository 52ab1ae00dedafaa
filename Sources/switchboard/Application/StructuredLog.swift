import Foundation
import Logging
import Messaging

/// Writes log lines as 13-configuration, section 12 asks: UTC time with milliseconds, level, scope and fields, as text for
/// people or as one JSON object a line for machines. Lines go to standard error.
struct StructuredLogHandler: LogHandler {
    enum Form: Sendable { case text, json }

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let label: String
    private let form: Form

    init(label: String, level: Logger.Level, form: Form) {
        self.label = label
        logLevel = level
        self.form = form
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        fields.merge(event.metadata ?? [:]) { _, new in new }
        let time = SystemClock().now().rfc3339.dropLast(4) + "Z"
        let line =
            switch form {
            case .text: text(String(time), event.level, "\(event.message)", fields)
            case .json: json(String(time), event.level, "\(event.message)", fields)
            }
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    private func text(_ time: String, _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata) -> String {
        let pairs = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.oneLine("\($0.value)"))" }.joined()
        return "\(time) \(level.rawValue.uppercased()) [\(label)] \(Self.oneLine(message))\(pairs)"
    }

    private func json(_ time: String, _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata) -> String {
        var object = fields.mapValues { "\($0)" }
        object["ts"] = time
        object["level"] = level.rawValue
        object["scope"] = label
        object["msg"] = message
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// A value cannot forge a second line.
    private static func oneLine(_ text: String) -> String {
        text.contains(where: \.isNewline) ? text.split(whereSeparator: \.isNewline).joined(separator: "⏎") : text
    }
}
