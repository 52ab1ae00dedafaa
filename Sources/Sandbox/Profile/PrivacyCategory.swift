import OrderedCollections

/// The privacy settings of an account (08, section 9.1).
struct PrivacyCategory: Sendable {
    let name: String
    let values: [String]
    let defaultValue: String

    private static let audience = ["all", "contacts", "contact_blacklist", "none"]

    static let all: [PrivacyCategory] = [
        PrivacyCategory(name: "groupadd", values: audience, defaultValue: "all"),
        PrivacyCategory(name: "last", values: audience, defaultValue: "all"),
        PrivacyCategory(name: "status", values: audience, defaultValue: "all"),
        PrivacyCategory(name: "profile", values: audience, defaultValue: "all"),
        PrivacyCategory(name: "readreceipts", values: ["all", "none"], defaultValue: "all"),
        PrivacyCategory(name: "online", values: ["all", "match_last_seen"], defaultValue: "all"),
        PrivacyCategory(name: "calladd", values: ["all", "known"], defaultValue: "all"),
        PrivacyCategory(name: "messages", values: ["all", "contacts"], defaultValue: "all"),
        PrivacyCategory(name: "defense", values: ["on_standard", "off"], defaultValue: "off"),
        PrivacyCategory(name: "stickers", values: ["contacts", "contact_allowlist", "none"], defaultValue: "contacts"),
    ]

    static func named(_ name: String) -> PrivacyCategory? { all.first { $0.name == name } }
}

extension World {
    /// Whether `owner`'s setting lets `reader` see or do what `category` governs. The owner always may, a blocked reader never.
    func maySee(_ reader: Account, _ category: String, of owner: Account) -> Bool {
        if reader === owner { return true }
        if owner.blocked.contains(reader.lid) { return false }
        switch owner.privacyValue(category) {
        case "none": return false
        case "contacts", "contact_blacklist": return owner.contacts[reader.phone] != nil
        case "match_last_seen": return maySee(reader, "last", of: owner)
        default: return true
        }
    }
}
