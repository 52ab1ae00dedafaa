/// One thing wrong with the settings: what it is about, and what would be right.
package struct SettingProblem: Sendable, Equatable, CustomStringConvertible {
    package let name: String
    package let problem: String
    /// What was found: the value, or its length for secrets; nil when nothing was set.
    package let found: String?

    /// `config: <NAME>: <problem>, got "<value>"` (13-configuration, section 3).
    package var description: String {
        "config: \(name): \(problem)" + (found.map { ", got \"\($0)\"" } ?? "")
    }
}

/// All problems of one start, so that they can be mended in one go. The process exits with status 78.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package let problems: [SettingProblem]

    package static let exitStatus: Int32 = 78

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Looks settings up, remembers what was wrong with them, and goes on with the default so that every problem is found.
struct SettingReader {
    /// Text per name, from the environment and the file.
    private let texts: [String: String]
    private let readFile: (String) throws -> String
    private(set) var problems: [SettingProblem] = []
    private(set) var warnings: [SettingProblem] = []
    private var isLenient = false
    /// Names without a required value that this start does without.
    private let waived: Set<String>

    init(texts: [String: String], waived: Set<String>, readFile: @escaping (String) throws -> String) {
        self.texts = texts
        self.waived = waived
        self.readFile = readFile
        isLenient = bool("CONFIG_LENIENT")
    }

    // MARK: Typed access. A name that is not in the table, or of another kind, is a programming error.

    mutating func bool(_ name: String) -> Bool {
        guard case .bool(let value)? = value(name) else { preconditionFailure("\(name) has no bool default") }
        return value
    }

    mutating func integer(_ name: String) -> Int {
        guard let value = optionalInteger(name) else { preconditionFailure("\(name) has no integer default") }
        return value
    }

    mutating func optionalBool(_ name: String) -> Bool? {
        if case .bool(let value)? = value(name) { value } else { nil }
    }

    mutating func optionalInteger(_ name: String) -> Int? {
        if case .integer(let value)? = value(name) { value } else { nil }
    }

    mutating func duration(_ name: String) -> Duration {
        guard case .duration(let value)? = value(name) else { preconditionFailure("\(name) has no duration default") }
        return value
    }

    mutating func durations(_ name: String) -> [Duration] {
        if case .durations(let value)? = value(name) { value } else { [] }
    }

    mutating func text(_ name: String) -> String? {
        if case .text(let value)? = value(name) { value } else { nil }
    }

    mutating func list(_ name: String) -> [String] {
        if case .list(let value)? = value(name) { value } else { [] }
    }

    mutating func bytes(_ name: String) -> [UInt8]? {
        if case .bytes(let value)? = value(name) { value } else { nil }
    }

    mutating func byteStrings(_ name: String) -> [[UInt8]] {
        if case .byteStrings(let value)? = value(name) { value } else { [] }
    }

    /// The case of `Word` named by a `.choice` setting.
    mutating func choice<Word: RawRepresentable<String>>(_ name: String, as type: Word.Type = Word.self) -> Word? {
        text(name).flatMap(Word.init(rawValue:))
    }

    /// Whether there is a value, right or wrong.
    func isSet(_ name: String) -> Bool { texts[name].map { !trimmed($0).isEmpty } ?? false }

    mutating func problem(_ name: String, _ text: String, found: String? = nil) {
        problems.append(SettingProblem(name: name, problem: text, found: found))
    }

    mutating func warn(_ name: String, _ text: String, found: String? = nil) {
        warnings.append(SettingProblem(name: name, problem: text, found: found))
    }

    /// Reads every setting of the table once, also those that nothing asks for.
    mutating func checkAll() {
        let (found, warned) = (problems, warnings)
        for setting in SettingTable.all {
            _ = value(setting.name)
            for bound in Self.bounds where bound.name == setting.name { check(bound) }
        }
        problems = found + problems.dropFirst(found.count)
        warnings = warned + warnings.dropFirst(warned.count)
        var seen: Set<String> = []
        problems = problems.filter { seen.insert($0.name + $0.problem).inserted }
        seen = []
        warnings = warnings.filter { seen.insert($0.name + $0.problem).inserted }
    }

    // MARK: -

    /// Pairs in which the first must not be smaller than the second.
    private static let bounds: [(name: String, other: String)] = [
        ("WHATSAPP_TYPING_DELAY_MAX", "WHATSAPP_TYPING_DELAY_MIN"),
        ("WHATSAPP_READ_RECEIPT_DELAY_MAX", "WHATSAPP_READ_RECEIPT_DELAY_MIN"),
        ("WHATSAPP_STARTUP_RECONNECT_BACKOFF_MAX", "WHATSAPP_STARTUP_RECONNECT_BACKOFF_BASE"),
        ("LEASE_TTL", "LEASE_RENEW"),
    ]

    private mutating func check(_ bound: (name: String, other: String)) {
        let (upper, lower) = (duration(bound.name), duration(bound.other))
        if upper < lower {
            report(
                bound.name, "must not be smaller than \(bound.other)", found: DurationText.format(upper),
                required: false)
        }
    }

    private mutating func value(_ name: String) -> SettingValue? {
        guard let setting = SettingTable.byName[name] else { preconditionFailure("\(name) is not in the table") }
        let fallback = setting.defaultText.isEmpty ? nil : setting.kind.parse(setting.defaultText)
        guard let text = rawText(setting) else {
            if setting.isRequired, !waived.contains(name) {
                report(
                    name,
                    "required\(setting.isReadFromFile ? " (or \(name)_FILE)" : ""); \(setting.kind.expectation)",
                    found: nil, required: true)
            }
            return fallback
        }
        if text.isEmpty { return nil }
        if let value = setting.kind.parse(text) { return value }
        report(
            name, setting.kind.expectation, found: setting.kind.isSecret ? "\(text.count) characters" : text,
            required: setting.isRequired)
        return fallback
    }

    /// Trimmed text, "" where an empty value means none, nil where there is no value.
    private mutating func rawText(_ setting: Setting) -> String? {
        if let text = texts[setting.name].map({ trimmed($0) }) {
            if !text.isEmpty { return text }
            if setting.isEmptyAllowed { return "" }
        }
        guard setting.isReadFromFile, let path = texts[setting.name + "_FILE"].map({ trimmed($0) }), !path.isEmpty
        else {
            return nil
        }
        do {
            let text = trimmed(try readFile(path))
            return text.isEmpty ? nil : text
        } catch {
            report(setting.name + "_FILE", "cannot be read", found: path, required: setting.isRequired)
            return nil
        }
    }

    private mutating func report(_ name: String, _ text: String, found: String?, required: Bool) {
        let problem = SettingProblem(name: name, problem: text, found: found)
        if isLenient && !required { warnings.append(problem) } else { problems.append(problem) }
    }
}
