import Logging
import Cryptography
import Signal
import Transport

extension DeviceSession {
    /// Loads what is missing of the records of `addresses`. Afterwards each has a slot, maybe an empty one.
    func loadSessions(_ addresses: [SignalAddress]) async throws {
        // A record that left memory while we read may have been written in between: then read again.
        for _ in 0..<8 {
            let missing = sessions.missing(addresses)
            guard !missing.isEmpty else { return }
            try await awaitLoadBarrier()
            let departures = sessions.departures
            let texts = missing.map(\.description)
            let rows = try await load { try await store.sessions(did: did, addresses: texts) }
            let identities = try await load { try await store.identities(did: did, addresses: texts) }
            guard departures == sessions.departures else { continue }
            let corrupt = sessions.adopt(rows, identities: identities, for: missing, now: now)
            for address in corrupt { logger.error("session record unreadable", metadata: ["address": "\(address)"]) }
        }
        throw SessionError.storageUnavailable
    }

    func loadSenderKey(_ name: SenderKeyName) async throws {
        for _ in 0..<8 {
            guard !senderKeys.isLoaded(name) else { return }
            try await awaitLoadBarrier()
            let departures = senderKeys.departures
            let row = try await load {
                try await store.senderKey(did: did, group: name.group, sender: name.sender.description)
            }
            guard departures == senderKeys.departures else { continue }
            if !senderKeys.adopt(row, for: name, now: now) {
                logger.error("sender key record unreadable", metadata: ["group": "\(name.group)"])
            }
        }
        throw SessionError.storageUnavailable
    }

    /// Name of the own sender key of a group: always under the own LID device (03, section 10.3).
    func ownSenderKey(_ group: JID) -> SenderKeyName? {
        guard let own else { return nil }
        return SenderKeyName(group: group.description, sender: SignalAddress(own.lid ?? own.pn))
    }

    // MARK: Addresses

    /// The LID of a person, when known: from memory, else from the table.
    func lid(of pn: JID) async throws -> JID? {
        if let own, own.pn.user == pn.user { return own.lid?.bare }
        if let known = lids.lid(pn: pn.user) { return .lid(known) }
        guard let stored = try await load({ try await store.lids(did: did, pns: [pn.user]) })[pn.user] else {
            return nil
        }
        lids.learn(LIDPair(lid: stored, pn: pn.user))
        return .lid(stored)
    }

    func pn(of lid: JID) async throws -> JID? {
        if let own, own.lid?.user == lid.user { return own.pn.bare }
        if let known = lids.pn(lid: lid.user) { return .user(known) }
        guard let stored = try await load({ try await store.pns(did: did, lids: [lid.user]) })[lid.user] else {
            return nil
        }
        lids.learn(LIDPair(lid: lid.user, pn: stored))
        return .user(stored)
    }

    /// Under which address a device's records are kept: its LID when known, with records of the number moved there first
    /// (03, sections 12.2 and 12.3). `alternative` is the LID a stanza gave.
    func signalAddress(of device: JID, alternative: JID? = nil) async throws -> SignalAddress {
        let device = device.withoutHosting
        guard device.server == .user, !device.isBot else { return SignalAddress(device) }
        let known: JID? = if let alternative, alternative.isLID { alternative } else { try await lid(of: device) }
        guard let known else { return SignalAddress(device) }
        let lid = JID.lid(known.user, device: device.device)
        try await migrate(pn: device, to: lid)
        return SignalAddress(lid)
    }

    /// Moves the records of all devices of a number to its LID, once per process and number: those that are stored, and
    /// those in memory that are on their way there.
    private func migrate(pn: JID, to lid: JID) async throws {
        guard lids.needsMigration(pn: pn.user) else { return }
        let (user, newUser) = (pn.signalUser, lid.signalUser)
        let stored = try await load { try await store.addresses(did: did, signalUser: user) }
        let old = Set(stored.compactMap { SignalAddress($0) } + sessions.addresses(of: user)).sorted()
        if !old.isEmpty { try await loadSessions(old + old.map { $0.renamed(newUser) }) }
        var names = Set(senderKeys.names(of: user))
        for sender in Set(old + [SignalAddress(pn)]) {
            let keys = try await load { try await store.senderKeys(did: did, sender: sender.description) }
            names.formUnion(keys.keys.map { SenderKeyName(group: $0, sender: sender) })
        }
        for name in names {
            try await loadSenderKey(name)
            try await loadSenderKey(name.renamed(newUser))
        }
        guard lids.needsMigration(pn: pn.user) else { return }
        lids.noteMigrated(pn: pn.user)
        var draft = makeDraft()
        for address in old {
            sessions.migrate(from: address, to: address.renamed(newUser), draft: &draft, now: now)
        }
        for name in names {
            senderKeys.migrate(
                from: name, to: name.renamed(newUser),
                revisions: (sessions.nextRevision(), sessions.nextRevision()), draft: &draft, now: now)
        }
        submit(draft)
    }

    /// Moves what is held under the numbers of LIDs among `devices` that were learnt of late, so that a session made
    /// under the number goes on under the LID (04, section 5.1). One query for all of them, none when nothing was learnt.
    func migrateNewlyLearnt(_ devices: [JID]) async throws {
        let pairs = lids.takeUnsearched(devices.lazy.filter(\.isLID).map(\.user))
        if pairs.isEmpty { return }
        let numbers = pairs.map { JID.user($0.pn) }
        let users = numbers.map(\.signalUser)
        let stored = try await load { try await store.usersWithSessions(did: did, among: users) }
        for (pair, number) in zip(pairs, numbers)
        where stored.contains(number.signalUser) || !sessions.addresses(of: number.signalUser).isEmpty {
            try await migrate(pn: number, to: .lid(pair.lid))
        }
    }

    /// Puts pairs that are news into a change set.
    func learn(_ pairs: [LIDPair], in changes: inout ChangeSet) {
        for pair in pairs where lids.learn(pair) { changes.lidPairs.append(pair) }
    }

    // MARK: Bundles

    /// Starts sessions with those of `devices` that have none, from freshly fetched bundles. Devices without a bundle stay
    /// without a session. Returns the ticket of what was stored.
    func ensureSessions(_ devices: [(jid: JID, address: SignalAddress)], refresh: Bool = false) async throws {
        let lacking = devices.filter { refresh || !sessions.hasSession($0.address) }
        for start in stride(from: 0, to: lacking.count, by: BundleQuery.batchCount) {
            let batch = Array(lacking[start..<min(start + BundleQuery.batchCount, lacking.count)])
            try await fetchBundles(batch, refresh: refresh)
        }
    }

    private func fetchBundles(_ devices: [(jid: JID, address: SignalAddress)], refresh: Bool) async throws {
        let key = FlightKey.bundle(devices.map(\.address.description).sorted().joined(separator: " "))
        try await sharedFlight(key) {
            let answer: Stanza
            do {
                answer = try await query { BundleQuery.make(id: $0, devices: devices.map(\.jid)) }
            } catch SessionError.serverRefused(let code, _) where code < 500 {
                return
            } catch SessionError.serverRefused, SessionError.timedOut {
                // Once more; then the devices are skipped.
                do {
                    answer = try await query { BundleQuery.make(id: $0, devices: devices.map(\.jid)) }
                } catch SessionError.serverRefused, SessionError.timedOut { return }
            }
            let accounts = try await accountKeys(devices.map(\.jid))
            let bundles = try BundleQuery.bundles(of: answer) { accounts[$0.signalUser] }
            try await startSessions(devices, bundles, refresh: refresh)
        }
    }

    /// Sixteen X3DH agreements take some milliseconds; then others of the loop get their turn.
    private func startSessions(
        _ devices: [(jid: JID, address: SignalAddress)], _ bundles: [JID: PreKeyBundle], refresh: Bool
    ) async throws {
        guard let identity = keys?.identity else { throw SessionError.notPaired }
        let generation = ledger.forgetCount
        for start in stride(from: 0, to: devices.count, by: 16) {
            try requireCurrent(generation)
            var draft = makeDraft()
            for (jid, address) in devices[start..<min(start + 16, devices.count)] {
                guard let bundle = bundles[jid] else {
                    dropDeviceList(of: jid, draft: &draft)
                    continue
                }
                if !refresh, sessions.hasSession(address) { continue }
                do {
                    let verdict = try sessions.start(
                        bundle: bundle, at: address, own: identity, random: AnyRandom(configuration.random),
                        draft: &draft, now: now)
                    if verdict == .changed { identityChanged(jid, draft: &draft) }
                } catch let error as SessionError {
                    throw error
                } catch { logger.info("bundle refused", metadata: ["device": "\(jid)", "error": "\(error)"]) }
            }
            submit(draft)
            if start + 16 < devices.count { await Task.yield() }
        }
    }

    /// An identity changed under the automatic policy: tells it once. The person's device lost our sender keys with the rest;
    /// the marks in the store go with the identity, those in memory here.
    func identityChanged(_ jid: JID, draft: inout SignalDraft) {
        forgetMarks()
        draft.changes.events.append(
            .identityChange(
                own: ownNumber, target: partyInMemory(jid), isImplicit: true, stanzaID: "\(now.microseconds)", at: now))
    }

    /// Identities of the phones (device 0) of the users of `devices`, by Signal user: the keys that sign their companions.
    private func accountKeys(_ devices: [JID]) async throws -> [String: PublicKey] {
        let addresses = Set(devices.map { SignalAddress($0.withoutHosting.bare) })
        try await loadSessions(Array(addresses))
        var keys: [String: PublicKey] = [:]
        for address in addresses {
            if let identity = sessions.identity(address) { keys[address.name] = identity }
        }
        return keys
    }
}
