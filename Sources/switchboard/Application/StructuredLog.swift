import Foundation
import Logging
import Messaging

/// Writes log lines as 13-configuration, section 12 asks: UTC time with milliseconds, level, scope and fields, as text for
/// people or as one JSON object a line for machines.
struct StructuredLogHandler: LogHandler {
    enum Form: Sendable { case text, json }

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let label: String
    private let form: Form
    private let writer: LogWriter

    init(label: String, level: Logger.Level, form: Form, writer: LogWriter = .standardError) {
        self.label = label
        logLevel = level
        self.form = form
        self.writer = writer
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        fields.merge(event.metadata ?? [:]) { _, new in new }
        let time = SystemClock().now().rfc3339.dropLast(4) + "Z"
        var line: String
        switch form {
        case .text: line = text(String(time), event.level, "\(event.message)", fields)
        case .json: line = json(String(time), event.level, "\(event.message)", fields)
        }
        line += "\n"
        writer.write(Array(line.utf8), isUrgent: event.level >= .error)
    }

    private func text(_ time: String, _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata) -> String {
        let pairs = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.oneLine("\($0.value)"))" }.joined()
        return "\(time) \(level.rawValue.uppercased()) [\(label)] \(Self.oneLine(message))\(pairs)"
    }

    /// The members of every line first, then the fields by name.
    private func json(_ time: String, _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata) -> String {
        var object = JSONObject()
        object.set("ts", time)
        object.set("level", level.rawValue)
        object.set("scope", label)
        object.set("msg", message)
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) where !Self.members.contains(name) {
            object.set(name, "\(value)")
        }
        return String(decoding: object.bytes, as: UTF8.self)
    }

    private static let members: Set<String> = ["ts", "level", "scope", "msg"]

    /// A value cannot forge a second line.
    private static func oneLine(_ text: String) -> String {
        text.contains(where: \.isNewline) ? text.split(whereSeparator: \.isNewline).joined(separator: "⏎") : text
    }
}
