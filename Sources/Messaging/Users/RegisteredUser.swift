/// Answer to "is this number on WhatsApp".
package struct RegisteredUser: Sendable, Equatable {
    /// Digits as asked.
    package var phone: String
    package var isRegistered: Bool
    /// Bare PN JID as the server writes it.
    package var jid: String?
    package var lid: String?

    package init(phone: String, isRegistered: Bool, jid: String? = nil, lid: String? = nil) {
        self.phone = phone
        self.isRegistered = isRegistered
        self.jid = jid
        self.lid = lid
    }
}
