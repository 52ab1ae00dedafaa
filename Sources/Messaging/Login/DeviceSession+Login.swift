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
        if let time = success.timestamp { clockOffset = time * 1000 - now.milliseconds }
        if let lid = success.lid { learnOwnLID(lid) }
        publish { state in
            state.phase = .settling
            state.lastError = ""
            state.failedAttempts = 0
        }
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
        let event = DeviceEvent.connected(own: ownNumber, state: state, at: now)
        record { changes in
            changes.device.status = .active
            changes.device.wish = .run
            changes.device.heldReason = .some(nil)
            changes.device.heldUntil = .some(nil)
            changes.device.liveState = .loggedIn
            changes.device.liveError = ""
            changes.device.lastActiveAt = now
            changes.events.append(event)
        }
        resumeReadyWaiters()
        repeatPendingSends()
    }

    /// Jobs that block nothing: presence, digest, rotation, privacy.
    private func afterReady(number: UInt64) async {
        if !configuration.pushName.isEmpty { setPresence(isAvailable: configuration.appearsOnline) }
        await rotateSignedPreKeyIfDue()
        guard number == linkNumber else { return }
        await checkDigestIfDue()
    }

    /// Own presence; `available` turns on active delivery receipts (04, section 15.2).
    func setPresence(isAvailable: Bool) {
        guard !configuration.pushName.isEmpty else { return }
        if isAvailable {
            sendNow(LoginStanzas.unifiedSession(serverMilliseconds: now.milliseconds + clockOffset))
        }
        sendNow(LoginStanzas.presence(isAvailable: isAvailable, name: configuration.pushName))
        isActivePresence = isAvailable
    }

    /// Whether delivery receipts say "shown" instead of `inactive`.
    var sendsActiveReceipts: Bool { isActivePresence || configuration.forcesActiveReceipts }

    // MARK: DeviceClient

    package func setPassive(_ passive: Bool) async throws {
        configuration.isPassive = passive
        try await readyForRequests()
        _ = try await query { LoginStanzas.passive(id: $0, isPassive: passive) }
    }

    package func setForceActiveReceipts(_ active: Bool) async { configuration.forcesActiveReceipts = active }

    package func logout() async throws {
        guard !isClosed else { throw SessionError.stopping }
        if credentials == nil, let stored = try await load({ try await store.credentials(did: did) }) {
            try adopt(stored)
        }
        guard let own, credentials?.isPaired == true else { throw SessionError.notPaired }
        if case .open(_, .ready) = link {
            setPresence(isAvailable: false)
            do {
                _ = try await query(timeout: configuration.timeouts.unlink) {
                    PairingStanzas.removeCompanion(id: $0, jid: own.pn)
                }
            } catch { logger.warning("unlink request failed; erasing anyway", metadata: ["error": "\(error)"]) }
        }
        end(.unlinked)
        try await committed(tickets.newest)
    }

    // MARK: Device identity

    /// ADV signed device identity with the account key, for messages that carry a pkmsg and for retry receipts.
    var deviceIdentity: [UInt8] {
        credentials?.account.map { SignedDeviceIdentity($0).serialized() } ?? []
    }
}
