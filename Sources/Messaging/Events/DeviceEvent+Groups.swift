import Transport

/// Events of `w:gp2` notifications (11-webhooks, section 9.7).
extension DeviceEvent {
    /// - Parameter party: a person under the names that are known.
    static func group(
        _ notification: GroupNotification, own: OwnAddresses, stanzaID: String, party: (JID) -> Party, at: Timestamp
    ) -> [DeviceEvent] {
        var events: [DeviceEvent] = []
        let group = notification.group.description
        func event(_ type: String, _ fill: (inout JSONObject) -> Void) {
            var data = JSONObject()
            data.set("jid", own.pn.user)
            data.set("group_jid", group)
            fill(&data)
            events.append(DeviceEvent(type: type, dedupeKey: "\(type) \(group) \(stanzaID)", data: data.bytes, at: at))
        }
        let sender = notification.sender.map { jid in
            notification.senderPN.map { Party(jid, alternative: $0) } ?? party(jid)
        }
        func setSecondNames(_ data: inout JSONObject, always: Bool) {
            let known = sender.flatMap { $0.hidden == nil ? nil : $0.shown }
            let pn = notification.senderPN?.description ?? known
            data.set("sender_pn", ifPresent: pn ?? (always ? "" : nil))
            if notification.sender?.isLID == false { data.set("sender_lid", ifPresent: sender?.hidden) }
        }
        var members = MemberChanges()
        for change in notification.changes {
            members.record(change, party)
            switch change {
            case .created(_, let reason, let type):
                event("group.join") { data in
                    data.set("reason", reason)
                    data.set("type", type)
                    data.set("sender", notification.sender?.description ?? "")
                    setSecondNames(&data, always: true)
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
                setSecondNames(&data, always: false)
                data.set("timestamp", notification.timestamp.seconds)
                members.write(to: &data)
                for change in notification.changes { change.write(to: &data) }
            }
        }
        return events
    }

    private struct MemberChanges {
        /// Phone JIDs of people that the group knows by LID.
        var phoneNumbers: [String: String] = [:]
        var join: [String] = []
        var leave: [String] = []
        var promote: [String] = []
        var demote: [String] = []

        var isEmpty: Bool { join.isEmpty && leave.isEmpty && promote.isEmpty && demote.isEmpty }

        mutating func record(_ change: GroupNotification.Change, _ party: (JID) -> Party) {
            switch change {
            case .added(let people, _): join += named(people, party)
            case .removed(let people, _): leave += named(people, party)
            case .promoted(let people): promote += named(people.map { .init(jid: $0) }, party)
            case .demoted(let people): demote += named(people.map { .init(jid: $0) }, party)
            default: break
            }
        }

        private mutating func named(_ people: [GroupInfo.Participant], _ party: (JID) -> Party) -> [String] {
            for person in people {
                guard let jid = JID(person.jid), jid.isLID else { continue }
                let known = party(jid)
                if let number = person.phoneNumber ?? (known.hidden == nil ? nil : known.shown) {
                    phoneNumbers[person.jid] = number
                }
            }
            return people.map(\.jid)
        }

        func write(to data: inout JSONObject) {
            for (name, people) in [("join", join), ("leave", leave), ("promote", promote), ("demote", demote)] {
                if people.isEmpty { data.setNull(name) } else { data.set(name, people) }
            }
            guard !phoneNumbers.isEmpty else { return }
            var numbers = JSONObject()
            for (jid, number) in phoneNumbers.sorted(by: { $0.key < $1.key }) { numbers.set(jid, number) }
            data.set("phone_numbers", numbers)
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
