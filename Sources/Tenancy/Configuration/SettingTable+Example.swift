extension SettingTable {
    /// The text of `.env.example`: every variable with its default, commented out unless it is required.
    package static var exampleFile: String {
        var lines = [
            "# Every setting of Switchboard. Copy to .env; a line without '#' at its start takes effect.",
            "# The environment wins over the file. This file is generated from the table in Sources/Tenancy/Configuration.",
        ]
        for group in groups {
            lines += ["", "# " + group.title]
            for setting in group.settings {
                lines += ["", "# " + setting.description]
                lines.append(setting.isRequired ? "\(setting.name)=" : "#\(setting.name)=\(setting.quotedDefault)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Setting {
    /// Summary, grammar, whether it has an effect and what an absent value means, in one line.
    fileprivate var description: String {
        var text = summary + "."
        if !hasEffect { text += " No effect yet." }
        if let form = kind.shortForm { text += " [" + form + "]" }
        if isRequired { text += " Required." }
        if !note.isEmpty { text += (isRequired ? " Exception: " : " Default: ") + note + "." }
        if isReadFromFile { text += " Or \(name)_FILE." }
        return text
    }

    fileprivate var quotedDefault: String { defaultText.contains(" ") ? "\"\(defaultText)\"" : defaultText }
}

extension SettingKind {
    fileprivate var shortForm: String? {
        switch self {
        case .bool: "true, false"
        case .integer(let range):
            range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound)-\(range.upperBound)"
        case .duration: "duration"
        case .durations: "durations"
        case .size: "size"
        case .cron: "cron"
        case .url(let schemes): schemes.map { $0 + "://" }.joined(separator: ", ")
        case .choice(let words): words.joined(separator: ", ")
        case .list, .origins: "list"
        case .addressBlocks: "list of CIDR"
        case .secret(let minimum): "\(minimum) characters or more"
        case .key(let count): "base64 of \(count) bytes"
        case .keys(let count): "list of base64 of \(count) bytes"
        case .hex(let count): "\(count * 2) hex digits"
        case .listener: "host:port"
        case .text, .address, .urlPath, .path, .dataSource: nil
        }
    }
}
