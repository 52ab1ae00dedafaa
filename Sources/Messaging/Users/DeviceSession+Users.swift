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

    /// Device lists of bare users: from memory, the table, or the server, in this order.
    func deviceLists(of users: [JID]) async throws -> [UserDeviceList] {
        let missing = users.filter { !$0.isBot && deviceLists[$0.description]?.isFresh(at: now) != true }
        if !missing.isEmpty {
            let names = missing.map(\.description)
            let stored = try await load { try await store.userDevices(did: did, users: names) }
            for (name, list) in stored where list.isFresh(at: now) && deviceLists.peek(name) == nil {
                deviceLists[name] = list
            }
            let unknown = missing.filter { deviceLists.peek($0.description)?.isFresh(at: now) != true }
            if !unknown.isEmpty { try await fetchDeviceLists(unknown) }
        }
        return users.compactMap { user in
            // A bot is its own and only device.
            if user.isBot { return UserDeviceList(user: user.description, devices: [0], fetchedAt: now) }
            return deviceLists.peek(user.description)
        }
    }

    /// Asks the server, and keeps what it says.
    func fetchDeviceLists(_ users: [JID]) async throws {
        for start in stride(from: 0, to: users.count, by: Usync.batchCount) {
            let batch = Array(users[start..<min(start + Usync.batchCount, users.count)])
            let key = FlightKey.devices(batch.map(\.description).sorted().joined(separator: " "))
            try await sharedFlight(key) {
                let sid = nextID()
                let answer = try await query { Usync.devices(id: $0, sid: sid, users: batch) }
                try await adoptDeviceLists(try Usync.users(of: answer), asked: batch)
            }
        }
    }

    private func adoptDeviceLists(_ users: [Usync.User], asked: [JID]) async throws {
        let phones = asked.map { SignalAddress($0.bare) }
        try await loadSessions(phones)
        let names = asked.map(\.description)
        let previous = try await load { try await store.userDevices(did: did, users: names) }
        var answers: [JID: Usync.DeviceList] = [:]
        var pairs: [LIDPair] = []
        for user in users {
            guard let jid = user.jid?.bare else { continue }
            answers[jid] = user.devices
            if let lid = user.lid, let pn = user.phoneNumber { pairs.append(LIDPair(lid: lid.user, pn: pn.user)) }
        }
        var gone: [JID] = []
        var draft = makeDraft()
        learn(pairs, in: &draft.changes)
        for user in asked {
            // A user the server leaves out has no devices: remembered for a minute.
            let answer = answers[user] ?? Usync.DeviceList(devices: [], hash: nil)
            let identity = sessions.identity(SignalAddress(user.bare))
            let result = UserDeviceList.filtered(
                answer, user: user, accountIdentity: identity, previous: previous[user.description], now: now)
            deviceLists[user.description] = result.list
            let left = Set(previous[user.description]?.devices ?? []).subtracting(result.list.devices)
            gone += left.sorted().map { user.device($0) }
            if !result.list.devices.isEmpty { draft.changes.userDevices.append(result.list) }
            if result.isReregistered { retireCompanions(of: user, known: previous[user.description], draft: &draft) }
        }
        submit(draft)
        try await rotateKeys(heldBy: try await addressed(gone).map(\.address))
    }

    /// The account was registered anew: its companions known before are strangers (02, section 17.1).
    private func retireCompanions(of user: JID, known: UserDeviceList?, draft: inout SignalDraft) {
        for device in known?.devices ?? [] where device != 0 {
            let address = SignalAddress(user.device(device))
            guard sessions.isLoaded(address) else { continue }
            sessions.archive(address, draft: &draft)
            sessions.forgetIdentity(address, draft: &draft)
        }
    }

    /// The next send asks the server again.
    func dropDeviceList(of jid: JID, draft: inout SignalDraft) {
        let user = jid.withoutHosting.bare.description
        deviceLists[user] = nil
        draft.changes.forgottenUserDevices.append(user)
    }

    func forgetOwnDevices() {
        guard let own else { return }
        record { changes in
            for user in [own.pn.bare, own.lid?.bare].compactMap(\.self) {
                deviceLists[user.description] = nil
                changes.forgottenUserDevices.append(user.description)
            }
        }
    }

    /// A message came from a device the list lacks: asks for the list, beside the lane.
    func refreshDeviceListIfUnknown(_ device: JID) {
        let user = device.withoutHosting.bare
        guard device.device != 0, let list = deviceLists.peek(user.description), !list.devices.contains(device.device)
        else { return }
        deviceLists[user.description] = nil
        Task { try? await fetchDeviceLists([user]) }
    }
}
