import Transport

/// A `w:gp2` notification, as far as messaging needs it (07-groups-communities, section 17).
package struct GroupNotification: Sendable, Equatable {
    package enum Change: Sendable, Equatable {
        case created(GroupInfo, reason: String, type: String)
        case added([GroupInfo.Participant], reason: String)
        case removed([GroupInfo.Participant], reason: String)
        case promoted([String])
        case demoted([String])
        case subject(String)
        case announcement(Bool)
        case locked(Bool)
        case ephemeral(seconds: Int)
        case description(String?)
        case deleted(reason: String)
        /// Anything else, by tag: the cached entry is dropped.
        case other(String)
    }

    package var group: JID
    package var sender: JID?
    package var senderPN: JID?
    package var timestamp: Timestamp
    package var changes: [Change]

    package init?(_ stanza: Stanza) {
        guard let from = stanza.from, from.isGroup, let time = stanza.int("t") else { return nil }
        group = from
        sender = stanza.jid("participant")
        senderPN = stanza.jid("participant_pn")
        timestamp = Timestamp(seconds: Int64(time))
        let mode = stanza["addressing_mode"].flatMap(GroupInfo.AddressingMode.init(rawValue:)) ?? .pn
        changes = stanza.childrenContent.compactMap { Self.change($0, mode: mode) }
    }

    private static func change(_ node: Stanza, mode: GroupInfo.AddressingMode) -> Change? {
        let participants = node.children("participant").compactMap(GroupInfo.Participant.init(node:))
        switch node.tag {
        case "create":
            guard let group = node.child("group").flatMap({ GroupInfo(node: $0, defaultMode: mode) }) else {
                return nil
            }
            return .created(group, reason: node["reason"] ?? "", type: node.type ?? "")
        case "add": return .added(participants, reason: node["reason"] ?? "")
        case "remove", "leave": return .removed(participants, reason: node["reason"] ?? "")
        case "promote": return .promoted(participants.map(\.jid))
        case "demote": return .demoted(participants.map(\.jid))
        case "subject": return .subject(node["subject"] ?? "")
        case "announcement": return .announcement(true)
        case "not_announcement": return .announcement(false)
        case "locked": return .locked(true)
        case "unlocked": return .locked(false)
        case "ephemeral": return .ephemeral(seconds: ChatUpdate.timer(node.int("expiration") ?? 0))
        case "not_ephemeral": return .ephemeral(seconds: 0)
        case "description": return .description(node.child("body")?.textContent)
        case "delete": return .deleted(reason: node["reason"] ?? "")
        default: return .other(node.tag)
        }
    }

    /// Pairs learnt from the people it names.
    package var lidPairs: [LIDPair] {
        changes.flatMap { change -> [LIDPair] in
            switch change {
            case .created(let info, _, _): info.lidPairs
            case .added(let people, _), .removed(let people, _): people.compactMap(\.lidPair)
            default: []
            }
        }
    }

    /// Whether somebody left: the own sender key must not be used again (03-signal, section 10.3).
    package var needsKeyRotation: Bool {
        changes.contains { if case .removed = $0 { true } else { false } }
    }

    /// The cached entry afterwards; nil when it must be fetched anew.
    package func applied(to info: GroupInfo) -> GroupInfo? {
        var info = info
        for change in changes {
            switch change {
            case .created(let fresh, _, _): info = fresh
            case .added(let people, _):
                info.participants.removeAll { old in people.contains { $0.jid == old.jid } }
                info.participants += people
            case .removed(let people, _): info.participants.removeAll { old in people.contains { $0.jid == old.jid } }
            case .promoted(let people): info.setRole(.admin, of: people)
            case .demoted(let people): info.setRole(.member, of: people)
            case .subject(let subject): info.subject = subject
            case .announcement(let isOn): info.isAnnouncement = isOn
            case .locked(let isOn): info.isLocked = isOn
            case .ephemeral(let seconds): info.ephemeralSeconds = seconds
            case .description(let text): info.description = text
            case .deleted, .other: return nil
            }
        }
        return info
    }
}

extension GroupInfo {
    fileprivate mutating func setRole(_ role: Participant.Role, of people: [String]) {
        for index in participants.indices where people.contains(participants[index].jid) {
            participants[index].role = role
        }
    }
}
