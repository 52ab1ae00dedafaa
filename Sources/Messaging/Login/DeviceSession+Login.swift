import Logging
import Cryptography
import Signal
import Transport

extension DeviceSession {
    /// `<success>`: the login stands, the post-login sequence begins (02-pairing-login, section 13.3).
    func loginSucceeded(_ success: LoginSuccess) {
        guard case .open(let connection, .authenticating) = link else { return }
        SessionMetrics.count(.login)
        cancel(.login)
        link = .open(connection, .settling)
        if let time = success.timestamp { clockOffset = Timestamp(seconds: time).milliseconds - now.milliseconds }
        if let lid = success.lid { learnOwnLID(lid) }
        if let name = success.pushName, configuration.pushName.isEmpty { record { adoptPushName(name, in: &$0) } }
        publish { state in
            state.phase = .settling
            state.lastError = ""
            state.failedAttempts = 0
        }
        repeatQueries()
        let number = linkNumber
        Task { await settle(number: number) }
    }

    private func learnOwnLID(_ lid: JID) {
        guard var changed = credentials, let pn = own?.pn, changed.lid != lid.description else { return }
        changed.lid = lid.description
        credentials = changed
        own = OwnAddresses(pn: pn, lid: lid)
        let pair = LIDPair(lid: lid.user, pn: pn.user)
        lids.learn(pair)
        record { changes in
            changes.credentials = .store(changed)
            changes.device.lid = lid.description
            changes.lidPairs.append(pair)
        }
        publish { $0.lid = lid.description }
    }

    /// Prekeys, active, ready; then the background jobs. Each step that fails is logged and the next one runs.
    private func settle(number: UInt64) async {
        await preKeysAtLogin()
        guard number == linkNumber else { return }
        if !configuration.isPassive {
            do {
                _ = try await query { LoginStanzas.passive(id: $0, isPassive: false) }
            } catch { logger.warning("could not become active", metadata: ["error": "\(error)"]) }
        }
        guard number == linkNumber, case .open(let connection, .settling) = link else { return }
        link = .open(connection, .ready)
        becameReady()
        await buildResumedSends()
        await afterReady(number: number)
    }

    private func becameReady() {
        let now = now
        didRefreshVersion = false
        publish { state in
            state.phase = .ready
            state.readySince = now
            state.end = nil
        }
        let event = DeviceEvent.connected(own: ownNumber, lid: own?.lid, state: state, at: now)
        let isSilent = state.isSilent
        record { changes in
            changes.device.status = .active
            changes.device.wish = .run
            changes.device.heldReason = .some(nil)
            changes.device.heldUntil = .some(nil)
            changes.device.liveState = isSilent ? .connecting : .loggedIn
            changes.device.liveError = ""
            changes.device.lastActiveAt = now
            changes.events.append(event)
        }
        resumeReadyWaiters()
        writeHeldFrames()
        repeatPendingSends()
    }

    /// Jobs that block nothing: presence, digest, rotation, properties, and after linking what a new companion asks.
    private func afterReady(number: UInt64) async {
        setPresence(isAvailable: configuration.appearsOnline || writingSends > 0)
        await runUpkeepJobs(number: number)
        guard number == linkNumber, isFirstLogin else { return }
        await introduce(number: number)
    }

    /// What a connection does from time to time, however long it lives (02, sections 13.3, 15.5, 15.6 and 16).
    func runUpkeepJobs(number: UInt64) async {
        guard !isRunningUpkeepJobs, number == linkNumber, case .open(_, .ready) = link else { return }
        isRunningUpkeepJobs = true
        defer { isRunningUpkeepJobs = false }
        await rotateSignedPreKeyIfDue()
        guard number == linkNumber else { return }
        await checkDigestIfDue()
        guard number == linkNumber else { return }
        await fetchPropertiesIfDue()
    }

    /// The server's properties, once they are stale (02, section 16): we act on none of them, but a client that never asks
    /// is conspicuous.
    private func fetchPropertiesIfDue() async {
        guard propertiesJob.isDue(at: now) else { return }
        guard let answer = try? await query({ LoginStanzas.properties(id: $0) }) else {
            return propertiesJob.failed(at: now)
        }
        let refresh = answer.child("props")?.int("refresh") ?? 86_400
        propertiesJob.succeeded(next: now.adding(seconds: Int64(min(max(refresh, 3600), 604_800))))
    }

    /// First login: privacy settings, which receipts depend on, the blocklist, and our own devices.
    private func introduce(number: UInt64) async {
        if let answer = try? await query({ LoginStanzas.privacySettings(id: $0) }) {
            privacySettings = LoginStanzas.privacySettings(of: answer)
        }
        guard number == linkNumber else { return }
        _ = try? await query { LoginStanzas.blocklist(id: $0) }
        guard number == linkNumber, let own else { return }
        _ = try? await fetchDeviceLists([(own.lid ?? own.pn).bare])
        isFirstLogin = false
    }

    // MARK: DeviceClient

    package func setPassive(_ passive: Bool) async throws {
        try await readyForRequests()
        _ = try await query { LoginStanzas.passive(id: $0, isPassive: passive) }
        configuration.isPassive = passive
    }

    package func setForceActiveReceipts(_ active: Bool) async { configuration.forcesActiveReceipts = active }

    package func logout() async throws {
        guard !isClosed else { throw SessionError.stopping }
        if credentials == nil, let stored = try await load({ try await store.credentials(did: did) }) {
            try adopt(stored)
        }
        guard let own, credentials?.isPaired == true else { throw SessionError.notPaired }
        // What waits to be sent fails with the device, also where it was not loaded yet, however much it is.
        let isReady = if case .open(_, .ready) = link { true } else { false }
        if !isReady || hasMoreUnsettled { try await resumeUnsettledSends(limit: .max) }
        if case .open(let connection, .ready) = link {
            setPresence(isAvailable: false)
            link = .open(connection, .unlinking)
            do {
                _ = try await query(timeout: configuration.timeouts.unlink, repeats: false) {
                    PairingStanzas.removeCompanion(id: $0, jid: own.pn)
                }
            } catch { logger.warning("unlink request failed; erasing anyway", metadata: ["error": "\(error)"]) }
        }
        // The server closes the stream as it answers, which may have ended the session already.
        if case .stopped(.unlinked) = link {} else { end(.unlinked) }
        try await committed(tickets.newest)
    }

    // MARK: Device identity

    /// ADV signed device identity with the account key, for messages that carry a pkmsg and for retry receipts.
    var deviceIdentity: [UInt8] {
        credentials?.account.map { SignedDeviceIdentity($0).serialized() } ?? []
    }
}
