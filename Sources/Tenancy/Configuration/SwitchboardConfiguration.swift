import Cryptography
import Foundation

/// Every setting of a process, checked. Source: 13-configuration; the table of names and defaults is ``SettingTable``.
package struct SwitchboardConfiguration: Sendable {
    package var authentication: AuthenticationSettings
    package var server: ServerSettings
    package var api: APISettings
    package var database: DatabaseSettings
    package var whatsApp: WhatsAppSettings
    package var simulation: SimulationSettings
    package var sendLimit: SendLimitSettings
    package var sendQueue: SendQueueSettings
    package var startup: StartupSettings
    package var messages: MessageSettings
    package var webhooks: WebhookSettings
    package var node: NodeSettings
    package var logging: LoggingSettings
    package var sandbox: SandboxSettings
    /// Things to say at start that are not errors.
    package var warnings: [SettingProblem]

    /// Reads the environment and the `.env` file.
    ///
    /// - Parameters:
    ///   - environment: The process environment.
    ///   - directory: Where a relative `ENV_FILE` lies.
    ///   - waived: Required variables that the caller supplies itself (`switchboard dev` makes its secrets and database).
    ///   - overrides: Values that win over everything, from the command line.
    /// - Throws: `ConfigurationError` with every problem found.
    package static func load(
        environment: [String: String] = ProcessInfo.processInfo.environment, directory: String = ".",
        waiving waived: Set<String> = [], overrides: [String: String] = [:]
    ) throws(ConfigurationError) -> SwitchboardConfiguration {
        let fileName = environment["ENV_FILE"].map { trimmed($0) } ?? ""
        let path = resolve(fileName.isEmpty ? ".env" : fileName, in: directory)
        var texts: [String: String] = [:]
        if let data = FileManager.default.contents(atPath: path) {
            do {
                texts = try EnvironmentFile.parse(String(decoding: data, as: UTF8.self), environment: environment)
            } catch {
                throw ConfigurationError(problems: [
                    SettingProblem(
                        name: "ENV_FILE", problem: "\(path), line \(error.line): \(error.reason)", found: nil)
                ])
            }
        } else if !fileName.isEmpty {
            throw ConfigurationError(problems: [
                SettingProblem(name: "ENV_FILE", problem: "file cannot be read", found: fileName)
            ])
        }
        texts.merge(environment) { _, new in new }
        texts.merge(overrides) { _, new in new }
        return try SwitchboardConfiguration(texts: texts, waiving: waived) {
            try String(contentsOfFile: resolve($0, in: directory), encoding: .utf8)
        }
    }

    /// From values that are already gathered.
    package init(
        texts: [String: String], waiving waived: Set<String> = [],
        readFile: @escaping (String) throws -> String = { try String(contentsOfFile: $0, encoding: .utf8) }
    ) throws(ConfigurationError) {
        var reader = SettingReader(texts: texts, waived: waived, readFile: readFile)
        authentication = AuthenticationSettings(&reader)
        server = ServerSettings(&reader)
        api = APISettings(&reader)
        database = DatabaseSettings(&reader)
        whatsApp = WhatsAppSettings(&reader)
        simulation = SimulationSettings(&reader)
        sendLimit = SendLimitSettings(&reader)
        sendQueue = SendQueueSettings(&reader)
        startup = StartupSettings(&reader)
        messages = MessageSettings(&reader)
        webhooks = WebhookSettings(&reader)
        node = NodeSettings(&reader)
        logging = LoggingSettings(&reader)
        sandbox = SandboxSettings(&reader)
        reader.checkAll()
        reader.checkEffects(of: texts.keys)
        UnknownVariables.warn(about: texts.keys, &reader)
        warnings = reader.warnings
        if !reader.problems.isEmpty { throw ConfigurationError(problems: reader.problems) }
    }

    private static func resolve(_ path: String, in directory: String) -> String {
        path.hasPrefix("/") ? path : directory + "/" + path
    }
}

/// Names that look like ours and are not: a typing error in a variable name would otherwise go unnoticed.
private enum UnknownVariables {
    private static let obsolete = [
        "WHATSAPP_AUTO_REPLY_ENABLED": "has no effect: there is no such function",
        "HTTP_CACHE_CAPACITY": "has no effect since 1.2.9",
    ]

    static func warn(about names: some Sequence<String>, _ reader: inout SettingReader) {
        for name in names.sorted() where SettingTable.byName[name] == nil {
            if let reason = obsolete[name] {
                reader.warn(name, reason)
                continue
            }
            let isOurs = ["WHATSAPP_", "WEBHOOK", "HTTP_"].contains { name.hasPrefix($0) }
            let isProxy = name == "HTTP_PROXY"
            let isFile = name.hasSuffix("_FILE") && SettingTable.byName[String(name.dropLast(5))] != nil
            guard isOurs, !isProxy, !isFile else { continue }
            let closest = SettingTable.all.map(\.name).min { distance($0, name) < distance($1, name) } ?? ""
            reader.warn(name, "unknown variable, did you mean \(closest)?")
        }
    }

    /// Levenshtein distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let (a, b) = (Array(left.utf8), Array(right.utf8))
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let previous = row[j + 1]
                row[j + 1] = min(previous + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
                diagonal = previous
            }
        }
        return row[b.count]
    }
}
