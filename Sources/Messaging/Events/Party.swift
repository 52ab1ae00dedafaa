import Transport

/// A person or chat under its two names: rows are kept under the LID where one is known, people are shown the phone JID.
package struct Party: Sendable, Hashable {
    /// Bare JID that rows are kept under: the LID when known.
    package var key: String
    /// Bare JID that events and answers show: the phone JID when known.
    package var shown: String

    package init(key: String, shown: String) {
        self.key = key
        self.shown = shown
    }

    /// A group, a channel, a person with one known name.
    package init(_ jid: JID) { self.init(key: jid.bare.description, shown: jid.bare.description) }

    /// A person by both names, whichever are known.
    package init(_ jid: JID, alternative: JID?) {
        let bare = jid.bare
        guard let other = alternative?.bare, other.isLID != bare.isLID else {
            self.init(bare)
            return
        }
        let (lid, pn) = bare.isLID ? (bare, other) : (other, bare)
        self.init(key: lid.description, shown: pn.description)
    }

    /// The other name, when both are known: what `…_lid` and `sender_alt` members hold.
    package var hidden: String? { key == shown ? nil : key }

    /// Every name that is known of it.
    package var addresses: [String] { key == shown ? [key] : [key, shown] }

    /// What is not the key, when both are known: the `sender_alt` column.
    package var alternative: String? { key == shown ? nil : shown }
}

/// Chat and sender of a message.
package struct MessageParties: Sendable, Hashable {
    package var chat: Party
    package var sender: Party
}
