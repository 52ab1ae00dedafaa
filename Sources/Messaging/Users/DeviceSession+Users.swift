import Cryptography
import Signal
import Transport

extension DeviceSession {
    // MARK: DeviceClient

    package func isOnWhatsApp(_ phones: [String]) async throws -> [RegisteredUser] {
        try await readyForRequests()
        let digits = phones.map { $0.filter { $0.isASCII && $0.isNumber } }
        let sid = nextID()
        let answer = try await query { Usync.contacts(id: $0, sid: sid, phones: digits) }
        let users = try Usync.users(of: answer)
        var pairs: [LIDPair] = []
        var found: [String: Usync.User] = [:]
        for user in users {
            guard let contact = user.contact else { continue }
            found[contact.query.filter { $0.isASCII && $0.isNumber }] = user
            if contact.isRegistered, let lid = user.lid, let pn = user.phoneNumber {
                pairs.append(LIDPair(lid: lid.user, pn: pn.user))
            }
        }
        record { learn(pairs, in: &$0) }
        return zip(phones, digits).map { phone, digits in
            guard let user = found[digits], user.contact?.isRegistered == true else {
                return RegisteredUser(phone: phone, isRegistered: false)
            }
            let jid = user.phoneNumber ?? .user(digits)
            return RegisteredUser(
                phone: phone, isRegistered: true, jid: jid.bare.description, lid: user.lid?.description)
        }
    }

    // MARK: Unknown numbers

    /// The LID of a number nothing is known of: the large query, once (04, section 4.1). Throws `recipientNotRegistered`
    /// when the server does not know the number.
    func fetchLID(of pn: JID) async throws -> JID {
        try await sharedFlight(.info(pn.user)) {
            let sid = nextID()
            let answer = try await query { Usync.userInfo(id: $0, sid: sid, users: [pn.bare]) }
            guard
                let user = try Usync.users(of: answer).first(where: {
                    $0.jid?.user == pn.user || $0.phoneNumber?.user == pn.user
                }),
                let lid = user.lid
            else { return }
            record { learn([LIDPair(lid: lid.user, pn: pn.user)], in: &$0) }
        }
        guard let known = try await lid(of: pn) else { throw SessionError.recipientNotRegistered }
        return known
    }

    // MARK: Device lists

    /// Device lists of bare users: from memory, the table, or the server, in this order. Those of a large group are gathered
    /// apart from the memory, which may not hold all of them.
    func deviceLists(of users: [JID]) async throws -> [UserDeviceList] {
        var lists: [String: UserDeviceList] = [:]
        for user in users where !user.isBot {
            let name = user.description
            if let list = deviceLists[name], list.isFresh(at: now) { lists[name] = list }
        }
        let missing = users.filter { !$0.isBot && lists[$0.description] == nil }
        if !missing.isEmpty {
            let watermark = tickets.watermark
            let names = missing.map(\.description).filter { !isForgotten(.devices($0), since: watermark) }
            let stored = try await load { try await store.userDevices(did: did, users: names) }
            for (name, row) in stored {
                let newer = deviceLists.peek(name)
                guard newer != nil || !isForgotten(.devices(name), since: watermark) else { continue }
                let list = newer ?? row
                guard list.isFresh(at: now) else { continue }
                if newer == nil { deviceLists[name] = list }
                lists[name] = list
            }
            let unknown = missing.filter { lists[$0.description] == nil }
            if !unknown.isEmpty { lists.merge(try await fetchDeviceLists(unknown)) { $1 } }
        }
        return users.compactMap { user in
            // A bot is its own and only device.
            if user.isBot { return UserDeviceList(user: user.description, devices: [0], fetchedAt: now) }
            return lists[user.description]
        }
    }

    /// Asks the server, keeps what it says and returns it by user.
    @discardableResult
    func fetchDeviceLists(_ users: [JID]) async throws -> [String: UserDeviceList] {
        var lists: [String: UserDeviceList] = [:]
        for start in stride(from: 0, to: users.count, by: Usync.batchCount) {
            let batch = Array(users[start..<min(start + Usync.batchCount, users.count)])
            let key = FlightKey.devices(batch.map(\.description).sorted().joined(separator: " "))
            try await sharedFlight(key) {
                let sid = nextID()
                let answer = try await query { Usync.devices(id: $0, sid: sid, users: batch) }
                try await adoptDeviceLists(try Usync.users(of: answer), asked: batch)
            }
            for user in batch { lists[user.description] = deviceLists.peek(user.description) }
        }
        return lists
    }

    private func adoptDeviceLists(_ users: [Usync.User], asked: [JID]) async throws {
        try await loadSessions(asked.map { SignalAddress($0.bare) })
        let names = asked.map(\.description)
        let previous = try await load { try await store.userDevices(did: did, users: names) }
        var answers: [JID: Usync.DeviceList] = [:]
        var pairs: [LIDPair] = []
        for user in users {
            guard let jid = user.jid?.bare else { continue }
            answers[jid] = user.devices
            if let lid = user.lid, let pn = user.phoneNumber { pairs.append(LIDPair(lid: lid.user, pn: pn.user)) }
        }
        let results = asked.map { user in
            // A user the server leaves out has no devices: remembered for a minute.
            UserDeviceList.filtered(
                answers[user] ?? Usync.DeviceList(devices: [], hash: nil), user: user,
                accountIdentity: sessions.identity(SignalAddress(user.bare)), previous: previous[user.description],
                now: now)
        }
        // Companions of accounts that were registered anew are strangers (02, section 17.1).
        var strangers: [SignalAddress] = []
        for (user, result) in zip(asked, results) where result.isReregistered {
            let known = previous[user.description]?.devices ?? []
            strangers += known.filter { $0 != 0 }.map { SignalAddress(user.device($0)) }
        }
        try await loadSessions(strangers)

        var gone: [JID] = []
        var draft = makeDraft()
        learn(pairs, in: &draft.changes)
        for (user, result) in zip(asked, results) {
            deviceLists[user.description] = result.list
            let left = Set(previous[user.description]?.devices ?? []).subtracting(result.list.devices)
            gone += left.sorted().map { user.device($0) }
            if !result.list.devices.isEmpty { draft.changes.userDevices.append(result.list) }
        }
        for address in strangers {
            sessions.archive(address, draft: &draft)
            sessions.forgetIdentity(address, draft: &draft)
        }
        submit(draft)
        try await rotateKeys(heldBy: try await addressed(gone).map(\.address))
    }

    /// The next send asks the server again.
    func dropDeviceList(of jid: JID, draft: inout SignalDraft) {
        let user = jid.withoutHosting.bare.description
        deviceLists[user] = nil
        forgotten[.devices(user)] = draft.ticket
        draft.changes.forgottenUserDevices.append(user)
    }

    func forgetOwnDevices() {
        guard let own else { return }
        record { changes in
            for user in [own.pn.bare, own.lid?.bare].compactMap(\.self) {
                deviceLists[user.description] = nil
                forgotten[.devices(user.description)] = tickets.next
                changes.forgottenUserDevices.append(user.description)
            }
        }
    }

    /// Whether the list that is known of its user lacks this companion.
    func isUnknownCompanion(_ device: JID) -> Bool {
        guard device.device != 0, let list = deviceLists.peek(device.withoutHosting.bare.description) else {
            return false
        }
        return !list.devices.contains(device.device)
    }

    /// A message came from a device the list lacks: asks for the list, beside the lane.
    func refreshDeviceListIfUnknown(_ device: JID) {
        guard isUnknownCompanion(device) else { return }
        let user = device.withoutHosting.bare
        deviceLists[user.description] = nil
        Task { _ = try? await fetchDeviceLists([user]) }
    }
}
