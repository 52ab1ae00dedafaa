import Transport

/// Events of `w:gp2` notifications (11-webhooks, section 9.7).
extension DeviceEvent {
    static func group(_ notification: GroupNotification, own: OwnAddresses, stanzaID: String, at: Timestamp)
        -> [DeviceEvent]
    {
        var events: [DeviceEvent] = []
        let group = notification.group.description
        func event(_ type: String, _ fill: (inout JSONObject) -> Void) {
            var data = JSONObject()
            data.set("jid", own.pn.user)
            data.set("group_jid", group)
            fill(&data)
            events.append(DeviceEvent(type: type, dedupeKey: "\(type) \(group) \(stanzaID)", data: data.bytes, at: at))
        }
        var members = MemberChanges()
        for change in notification.changes {
            members.record(change)
            switch change {
            case .created(_, let reason, let type):
                event("group.join") { data in
                    data.set("reason", reason)
                    data.set("type", type)
                    data.set("sender", notification.sender?.description ?? "")
                    data.set("sender_pn", notification.senderPN?.description ?? "")
                }
            case .removed(let people, let reason) where people.contains(where: { own.contains(participant: $0) }):
                event("group.leave") { $0.set("reason", reason) }
            default: break
            }
        }
        if members.isEmpty == false { event("group.participant_update") { members.write(to: &$0) } }
        let isJoinOnly = notification.changes.allSatisfy { if case .created = $0 { true } else { false } }
        if !isJoinOnly {
            event("group.info_update") { data in
                data.set("sender", notification.sender?.description ?? "")
                data.set("sender_pn", ifPresent: notification.senderPN?.description)
                data.set("timestamp", notification.timestamp.seconds)
                members.write(to: &data)
                for change in notification.changes { change.write(to: &data) }
            }
        }
        return events
    }

    private struct MemberChanges {
        var join: [String] = []
        var leave: [String] = []
        var promote: [String] = []
        var demote: [String] = []

        var isEmpty: Bool { join.isEmpty && leave.isEmpty && promote.isEmpty && demote.isEmpty }

        mutating func record(_ change: GroupNotification.Change) {
            switch change {
            case .added(let people, _): join += people.map(\.jid)
            case .removed(let people, _): leave += people.map(\.jid)
            case .promoted(let people): promote += people
            case .demoted(let people): demote += people
            default: break
            }
        }

        func write(to data: inout JSONObject) {
            for (name, people) in [("join", join), ("leave", leave), ("promote", promote), ("demote", demote)] {
                if people.isEmpty { data.setNull(name) } else { data.set(name, people) }
            }
        }
    }
}

extension GroupNotification.Change {
    fileprivate func write(to data: inout JSONObject) {
        switch self {
        case .subject(let subject): data.set("name", subject)
        case .description(let text): data.set("topic", text ?? "")
        case .locked(let isOn): data.set("locked", isOn)
        case .announcement(let isOn): data.set("announce", isOn)
        case .ephemeral(let seconds): data.set("ephemeral", seconds)
        case .deleted: data.set("deleted", true)
        case .created, .added, .removed, .promoted, .demoted, .other: break
        }
    }
}

extension OwnAddresses {
    func contains(participant: GroupInfo.Participant) -> Bool {
        [participant.jid, participant.phoneNumber, participant.lid].contains { text in
            text.flatMap(JID.init(_:)).map(contains(user:)) ?? false
        }
    }
}
