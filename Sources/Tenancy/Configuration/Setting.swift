/// One environment variable: its grammar, its default and what it does. Source: 13-configuration, sections 4 and 5.
package struct Setting: Sendable {
    package let name: String
    package let kind: SettingKind
    /// Text of the default; empty when there is none, or when it depends on something (then `note` says on what).
    package let defaultText: String
    /// One sentence for people.
    package let summary: String
    /// Must have a value.
    package let isRequired: Bool
    /// What an absent value means, where that is no constant.
    package let note: String
    /// Also read from the file that `<NAME>_FILE` names (13, section 15).
    package let isReadFromFile: Bool
    /// Set but empty means "none" instead of the default.
    package let isEmptyAllowed: Bool

    init(
        _ name: String, _ kind: SettingKind, _ defaultText: String = "", _ summary: String, required: Bool = false,
        note: String = "", fromFile: Bool = false, emptyAllowed: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.defaultText = defaultText
        self.summary = summary
        isRequired = required
        self.note = note
        isReadFromFile = fromFile
        isEmptyAllowed = emptyAllowed
    }
}

/// The settings of one subject, in the order of the documentation.
package struct SettingGroup: Sendable {
    package let title: String
    package let settings: [Setting]
}

/// Every environment variable that Switchboard knows.
package enum SettingTable {
    package static let groups: [SettingGroup] =
        [sources, authentication, server, database, storage] + whatsAppGroups
        + [webhooks, jobs, node, deviceScoping, sandbox, obsolete]

    package static let all: [Setting] = groups.flatMap(\.settings)

    static let byName: [String: Setting] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}
