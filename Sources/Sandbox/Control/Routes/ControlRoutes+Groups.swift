import HTTPTypes
import OrderedCollections
import Transport

/// Groups, changed as any of their members.
extension ControlRoutes {
    func addGroups() {
        on(.post, "/groups") { call in
            let world = try call.world
            let creator = try world.account(named: call.text("creator"))
            let people = try Self.people(call.texts("participants") ?? [], in: world)
            var mode: AddressSpace?
            switch try call.optionalText("addressing_mode") ?? call.body["settings"]?["addressing_mode"]?.stringValue {
            case nil: mode = nil
            case "lid"?: mode = .lid
            case "pn"?: mode = .pn
            default: throw ControlError.invalid("addressing_mode is lid or pn")
            }
            let changes = try World.GroupChanges(call.body["settings"])
            let (group, outcomes) = world.createGroup(
                creator: creator, subject: try call.text("subject"), participants: people, mode: mode)
            world.change(group, changes, by: creator)
            if let text = try Self.optionalText(call.body["settings"], "description") {
                world.setDescription(text, id: world.newStanzaID(), of: group, by: creator)
            }
            return group.json(in: world, outcomes: outcomes)
        }
        on(.get, "/groups") { call in
            let world = try call.world
            return .array(world.groups.values.filter { !$0.isDeleted }.map { $0.json(in: world) })
        }
        on(.get, "/groups/:group") { call in try call.group.json(in: call.world) }
        on(.post, "/groups/:group/participants") { call in try Self.changeParticipants(call) }
        on(.post, "/groups/:group/settings") { call in
            let world = try call.world
            let group = try call.group
            let actor = try Self.actor(call, group)
            let settings = call.body["settings"] ?? call.body
            let changes = try World.GroupChanges(settings)
            if let subject = try Self.optionalText(settings, "subject") {
                world.setSubject(subject, of: group, by: actor)
            }
            if let text = try Self.optionalText(settings, "description") {
                world.setDescription(text.isEmpty ? nil : text, id: world.newStanzaID(), of: group, by: actor)
            }
            world.change(group, changes, by: actor)
            return group.json(in: world)
        }
        on(.post, "/groups/:group/messages") { call in
            let group = try call.group
            let sender = try call.world.account(named: try call.optionalText("from") ?? call.text("account"))
            return try Self.send(call, from: sender, to: group.jid)
        }
        on(.get, "/groups/:group/messages") { call in
            let group = try call.group
            let world = try call.world
            let name = call.query("account") ?? group.participants.keys.first ?? group.creator
            let phone = try call.phones.phone(of: world.account(named: name))
            return .array(phone.log.messages(in: group.jid).map { $0.json(in: world) })
        }
    }

    private static func optionalText(_ value: JSONValue?, _ name: String) throws -> String? {
        switch value?[name] {
        case nil, .null?: return nil
        case .string(let text)?: return text
        default: throw ControlError.invalid("\(name) is a text")
        }
    }

    /// Who acts: `by`, or the creator while in the group, or the first member.
    @SandboxActor
    private static func actor(_ call: ControlCall, _ group: Group) throws -> Account {
        let fallback = group.participants[group.creator] != nil ? group.creator : group.participants.keys.first
        guard let name = try call.optionalText("by") ?? fallback else { throw WorldError.notAParticipant }
        return try call.world.account(named: name)
    }

    @SandboxActor
    private static func people(_ names: [String], in world: World) throws -> [JID] {
        try names.map { try world.account(named: $0).lidJID }
    }

    /// `{add, remove, promote, demote}` as lists, or `{action, participants}`.
    @SandboxActor
    private static func changeParticipants(_ call: ControlCall) throws -> JSONValue {
        let world = try call.world
        let group = try call.group
        let actor = try actor(call, group)
        var requests: [(action: String, names: [String])] = []
        for action in ["add", "remove", "promote", "demote"] {
            if let names = try call.texts(action) { requests.append((action, names)) }
        }
        if let action = try call.optionalText("action") {
            requests.append((action, try call.texts("participants") ?? []))
        }
        guard !requests.isEmpty else { throw ControlError.missing("one of add, remove, promote, demote") }
        // Names are resolved before anything is changed, so that a wrong one refuses the whole call.
        let resolved = try requests.map { ($0.action, try people($0.names, in: world)) }
        var outcomes: [World.ParticipantOutcome] = []
        for (action, people) in resolved {
            switch action {
            case "add": outcomes += world.addParticipants(people, to: group, by: actor)
            case "remove": outcomes += world.removeParticipants(people, from: group, by: actor)
            case "promote": outcomes += world.setRole(.admin, of: people, in: group, by: actor)
            case "demote": outcomes += world.setRole(.member, of: people, in: group, by: actor)
            default: throw ControlError.invalid("action is add, remove, promote or demote")
            }
        }
        return group.json(in: world, outcomes: outcomes)
    }
}

extension World.GroupChanges {
    /// Reads `announce`, `locked`, `ephemeral`, `member_add_mode`, `membership_approval`, `suspended`; others are left alone.
    @SandboxActor
    fileprivate init(_ json: JSONValue?) throws {
        self.init()
        guard let json, json != .null else { return }
        guard json.objectValue != nil else { throw ControlError.invalid("settings is an object") }
        func flag(_ names: String...) throws -> Bool? {
            for name in names {
                guard let value = json[name], value != .null else { continue }
                guard let flag = value.boolValue else { throw ControlError.invalid("\(name) is true or false") }
                return flag
            }
            return nil
        }
        isAnnouncement = try flag("announce", "announcement")
        isLocked = try flag("locked")
        membershipApproval = try flag("membership_approval")
        isSuspended = try flag("suspended")
        if let value = json["ephemeral"], value != .null {
            guard let seconds = value.intValue.flatMap({ Int(exactly: $0) }), World.ephemeralTimes.contains(seconds)
            else { throw ControlError.invalid("ephemeral is 0, 86400, 604800 or 7776000 seconds") }
            ephemeral = seconds
        }
        if let value = json["member_add_mode"], value != .null {
            guard let mode = value.stringValue, ["admin_add", "all_member_add"].contains(mode) else {
                throw ControlError.invalid("member_add_mode is admin_add or all_member_add")
            }
            memberAddMode = mode
        }
    }
}

extension Group {
    func json(in world: World, outcomes: [World.ParticipantOutcome]? = nil) -> JSONValue {
        var members: [String: JSONValue] = [
            "id": .string(id), "jid": .string(jid.description), "subject": .string(subject),
            "creator": .string(creator),
            "created": .int(created), "addressing_mode": .string(mode.word),
            "settings": [
                "announce": .bool(isAnnouncement), "locked": .bool(isLocked), "ephemeral": .number(ephemeral),
                "member_add_mode": .string(memberAddMode), "membership_approval": .bool(membershipApproval),
                "suspended": .bool(isSuspended),
            ],
            "participants": .array(
                participants.map { phone, entry in
                    [
                        "phone": .string(phone), "lid": .string(world.accounts[phone]?.lidJID.description ?? ""),
                        "role": .string(entry.role.rawValue), "joined": .int(entry.joined),
                    ]
                }),
        ]
        if let description { members["description"] = .string(description.text) }
        if let outcomes {
            members["outcomes"] = .array(
                outcomes.map { ["phone": .string($0.phone ?? $0.asked.user), "error": .number($0.error)] })
        }
        return .object(members)
    }
}
