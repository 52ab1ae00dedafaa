import CPostgreSQL

/// The keywords handed to `PQconnectdbParams`, made from the configured text.
struct ConnectionParameters: Sendable, Equatable {
    /// Keyword and value, without duplicates.
    private(set) var values: [String: String]
    /// Options that were dropped because libpq does not know them.
    private(set) var ignored: [String]

    /// Parses a URI or `key=value` text, dropping options unknown to libpq. Throws
    /// ``DatabaseError/invalidConfiguration(_:)``; its text never repeats the value, which may hold a password.
    init(_ text: String) throws {
        var (known, ignored) = Self.removingForeignOptions(text)
        while true {
            do {
                values = try Self.parse(known)
                break
            } catch let failure as ParseFailure {
                // key=value text: take out the keyword that the parser names, and try again.
                guard let option = failure.unknownOption, let shorter = Self.removing(option, from: known) else {
                    throw DatabaseError.invalidConfiguration(failure.message)
                }
                ignored.append(option)
                known = shorter
            }
        }
        self.ignored = ignored
    }

    /// Adds what every connection of ours needs, where the text does not say otherwise.
    mutating func applyDefaults(_ configuration: DatabaseConfiguration) {
        values["application_name"] = configuration.applicationName
        values["client_encoding"] = "UTF8"
        let defaults = [
            "connect_timeout": String(max(2, configuration.connectTimeout.components.seconds)),
            "keepalives": "1", "keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3",
            "tcp_user_timeout": "20000",
        ]
        values.merge(defaults) { given, _ in given }
    }

    /// Where this leads, for logs: host and database, never user or password.
    var place: String {
        "\(values["host"] ?? values["hostaddr"] ?? "local socket")/\(values["dbname"] ?? "")"
    }

    private struct ParseFailure: Error {
        let message: String
        let unknownOption: String?
    }

    private static func parse(_ text: String) throws -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(text, &message) else {
            defer { if let message { PQfreemem(message) } }
            let reason = message.map { String(cString: $0) } ?? "not understood"
            let prefix = "invalid connection option \""
            let option = reason.hasPrefix(prefix) ? reason.dropFirst(prefix.count).prefix { $0 != "\"" } : nil
            throw ParseFailure(
                message: option.map { "unknown option \($0)" } ?? "the connection text is malformed",
                unknownOption: option.map(String.init))
        }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return values
    }

    /// Drops the query items of a URI that libpq would refuse.
    private static func removingForeignOptions(_ text: String) -> (text: String, ignored: [String]) {
        guard text.hasPrefix("postgres://") || text.hasPrefix("postgresql://"),
            let question = text.firstIndex(of: "?")
        else { return (text, []) }
        var ignored: [String] = []
        let kept = text[text.index(after: question)...].split(separator: "&").filter { item in
            let name = String(item.prefix { $0 != "=" })
            if knownOptions.contains(name) || name == "ssl" { return true }
            ignored.append(name)
            return false
        }
        let base = text[..<question]
        return (kept.isEmpty ? String(base) : "\(base)?\(kept.joined(separator: "&"))", ignored)
    }

    /// Takes `option=value` out of key=value text; the value may be quoted with single quotes and backslashes.
    private static func removing(_ option: String, from text: String) -> String? {
        let pattern = #/(?:^|\s)([A-Za-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)/#
        guard let match = text.matches(of: pattern).first(where: { $0.output.1 == option }) else { return nil }
        var shorter = text
        shorter.replaceSubrange(match.range, with: " ")
        return shorter
    }

    private static let knownOptions: Set<String> = {
        guard let options = PQconndefaults() else { return [] }
        defer { PQconninfoFree(options) }
        var names: Set<String> = []
        var option = options
        while let keyword = option.pointee.keyword {
            names.insert(String(cString: keyword))
            option += 1
        }
        return names
    }()
}
