import Transport

/// Presence and chat states (08-users-presence-newsletters, sections 13 and 14). The server acks none of them.
package enum PresenceStanzas {
    /// `<presence type name/>`; publishes the push name.
    package static func own(isAvailable: Bool, name: String) -> Stanza {
        Stanza("presence", ["type": isAvailable ? "available" : "unavailable", "name": .text(name)])
    }

    package enum ChatState: Sendable, Equatable {
        case composing
        /// Shown as "recording".
        case recording
        case paused
    }

    /// `<chatstate to><composing [media="audio"]/>|<paused/></chatstate>`
    package static func chatState(_ state: ChatState, to chat: JID) -> Stanza {
        let child =
            switch state {
            case .composing: Stanza("composing")
            case .recording: Stanza("composing", ["media": "audio"])
            case .paused: Stanza("paused")
            }
        return Stanza("chatstate", ["to": .jid(chat)], children: [child])
    }
}
