import Logging
import Cryptography
import NIOCore
import NIOPosix
import Transport

extension DeviceSession {
    // MARK: DeviceClient

    package func startQRLogin(restart: Bool) async throws -> QRLogin {
        try await openRegistration(restart: restart)
        guard let current = registration?.current else { throw registration?.errorOnClose ?? .pairingInterrupted }
        return QRLogin(current: current, upcoming: registration?.upcoming ?? [], updates: subscribe())
    }

    var clientType: ClientType { ClientType(platform: configuration.companion.platform) }

    // MARK: The registration connection

    /// Makes sure that a registration connection is open and its refs are here. Throws `alreadyPaired`, or why not.
    func openRegistration(restart: Bool) async throws {
        guard !isClosed else { throw SessionError.stopping }
        if credentials == nil, let stored = try await load({ try await store.credentials(did: did) }) {
            try adopt(stored)
        }
        if credentials?.isPaired == true { throw SessionError.alreadyPaired }
        if restart, registration != nil, registration?.isConfirming != true {
            registrationClosed(.pairingInterrupted)
            closeConnection()
        }
        if case .passkey? = registration?.step { throw SessionError.passkeyRequired }
        if registration == nil {
            try await makeCredentials()
            beginRegistration()
        }
        guard registration?.current == nil else { return }
        nextWaiter += 1
        let id = nextWaiter
        let limit = configuration.timeouts.pairDevice
        let timeout = eventLoop.scheduleTask(in: .seconds(limit)) {
            self.assumeIsolated { session in
                session.registrationWaiters.removeValue(forKey: id)?.resume(throwing: SessionError.pairingTimedOut)
            }
        }
        defer { timeout.cancel() }
        try await withCheckedThrowingContinuation { registrationWaiters[id] = $0 }
    }

    /// Keys of the device to be, stored before anything is sent. Keys of an earlier attempt are used again.
    private func makeCredentials() async throws {
        guard credentials == nil else { return }
        let fresh = DeviceCredentials.fresh(random: AnyRandom(configuration.random), now: now)
        var draft = makeDraft()
        draft.changes.credentials = .store(fresh)
        try await commit(draft)
        guard credentials == nil else { return }
        try adopt(fresh)
    }

    private func beginRegistration() {
        guard registration == nil, let credentials, let keys else { return }
        registration = RegistrationFlow(
            noisePublic: keys.noise.publicKey.raw, identityPublic: credentials.identityPublic,
            advSecret: credentials.advSecret, clientType: clientType)
        cancel(.reconnect)
        if case .open = link { closeConnection() }
        scheduleUpkeep()
        dial(pairing: true)
    }

    /// The server's refs.
    func pairDevice(_ stanza: Stanza) {
        guard case .open(_, .registering) = link, let id = stanza.id, let refs = PairingStanzas.refs(of: stanza) else {
            return
        }
        sendNow(PairingStanzas.acknowledgement(id: id))
        guard let shown = registration?.pairDevice(refs: refs, now: now) else { return }
        let event = DeviceEvent.qr(own: ownNumber, codes: shown.codes, at: now)
        record { $0.events.append(event) }
        show(shown.first)
        showPairing()
        let waiters = registrationWaiters
        registrationWaiters = [:]
        for waiter in waiters.values { waiter.resume() }
    }

    private func show(_ code: QRCode) {
        announce(.qr(code))
        schedule(.qr, milliseconds: code.expiresAt.milliseconds - now.milliseconds) { $0.registrationTimerFired() }
    }

    func registrationTimerFired() {
        switch registration?.timerFired(at: now) {
        case .show(let code): show(code)
        case .end(let error):
            registrationClosed(error)
            closeConnection()
            becomeIdle(error: ConnectionState.pairingTimedOut)
        case .nothing, nil: break
        }
    }

    /// Publishes what the registration waits for.
    func showPairing() {
        let step = registration?.step
        publish { $0.pairing = step }
        if case .passkey(let state)? = step { announce(.passkey(state)) }
    }

    private func subscribe() -> AsyncStream<LoginUpdate> {
        nextWaiter += 1
        let id = nextWaiter
        let (stream, continuation) = AsyncStream.makeStream(of: LoginUpdate.self, bufferingPolicy: .bufferingNewest(16))
        loginSubscribers[id] = continuation
        continuation.onTermination = { [weak self] _ in
            guard let self else { return }
            Task { await self.unsubscribe(id) }
        }
        return stream
    }

    private func unsubscribe(_ id: UInt64) { loginSubscribers[id] = nil }

    func announce(_ update: LoginUpdate) {
        for subscriber in loginSubscribers.values { subscriber.yield(update) }
        switch update {
        case .qr, .scannedWithoutMultidevice, .passkey: break
        case .paired, .failed:
            let subscribers = loginSubscribers
            loginSubscribers = [:]
            for subscriber in subscribers.values { subscriber.finish() }
        }
    }

    /// Pairing ended without success; everybody who waits for it hears `error`.
    func registrationClosed(_ error: SessionError) {
        guard registration != nil || !registrationWaiters.isEmpty else { return }
        registration = nil
        showPairing()
        cancel(.qr)
        let waiters = registrationWaiters
        registrationWaiters = [:]
        for waiter in waiters.values { waiter.resume(throwing: error) }
        announce(.failed(error))
    }

    /// The socket of a registration connection is gone, whoever closed it and for what reason: after the reply to
    /// pair-success that is as good as the 515 (02, section 8), else pairing is over.
    func registrationConnectionClosed(_ reason: String) {
        if registration?.isConfirming == true, credentials?.isPaired == true { return dial(pairing: false) }
        registrationClosed(registration?.errorOnClose ?? .pairingInterrupted)
        becomeIdle(error: reason)
    }

    // MARK: pair-success

    /// Steps 0 to 11 of 02, section 7.4. Any failure is told to the server, and nothing stays stored.
    func pairSuccess(_ stanza: Stanza) {
        guard case .open(_, .registering) = link, registration != nil, registration?.isConfirming != true else {
            return
        }
        let number = linkNumber
        do throws(PairingError) {
            let success = try PairSuccess(stanza: stanza)
            guard let credentials, let identity = keys?.identity.keyPair else { throw .notStored }
            if let time = success.timestamp { clockOffset = Timestamp(seconds: time).milliseconds - now.milliseconds }
            let secret = registration?.provableSecrets.first(where: success.isAuthentic) ?? credentials.advSecret
            let verified = try success.verified(
                advSecret: secret, identity: identity, random: configuration.random.bytes(64))
            registration?.confirm(jid: success.jid.description)
            showPairing()
            cancel(.qr)
            Task { await storePairing(success, verified, number: number) }
        } catch {
            refusePairing(id: stanza.id, nil, error)
        }
    }

    private func storePairing(_ success: PairSuccess, _ verified: VerifiedPairing, number: UInt64) async {
        let refusal = await host.refusal(
            ofPairing: did, jid: success.jid.description, businessName: success.businessName)
        guard number == linkNumber else { return }
        if let refusal { return refusePairing(id: success.id, success, .rejected(refusal)) }
        guard var paired = credentials else { return refusePairing(id: success.id, success, .notStored) }
        paired.jid = success.jid.description
        paired.lid = success.lid.description
        paired.account = verified.account
        paired.pairedAt = now
        var draft = makeDraft()
        draft.changes.credentials = .paired(paired)
        let pair = LIDPair(lid: success.lid.user, pn: success.jid.user)
        draft.changes.lidPairs.append(pair)
        draft.changes.identities.append(
            IdentityRow(
                address: "\(success.lid.bare.signalUser):0", identity: verified.account.accountSignatureKey))
        draft.changes.device.jid = success.jid.description
        draft.changes.device.lid = success.lid.description
        draft.changes.device.platform = success.platform
        draft.changes.device.businessName = success.businessName
        draft.changes.device.status = .disconnected
        draft.changes.device.wish = .run
        draft.changes.device.heldReason = .some(nil)
        draft.changes.device.heldUntil = .some(nil)
        draft.changes.events.append(.pairSuccess(success, at: now))
        do { try await commit(draft) } catch { return refusePairing(id: success.id, success, .notStored) }
        configuration.platform = success.platform
        configuration.businessName = success.businessName
        if configuration.pushName.isEmpty { configuration.pushName = success.businessName }
        do { try adopt(paired) } catch { return refusePairing(id: success.id, success, .notStored) }
        isFirstLogin = true
        publish { $0.end = nil }
        announce(.paired(jid: success.jid.description))
        guard number == linkNumber, case .open = link else { return loginAfterPairing() }
        sendNow(PairingStanzas.pairDeviceSign(id: success.id, pairing: verified))
        sendNow(LoginStanzas.unifiedSession(serverMilliseconds: now.milliseconds + clockOffset))
        schedule(.restart, seconds: configuration.timeouts.restart) { session in
            session.loseConnection(.immediately, reason: "no restart after pairing")
        }
    }

    /// The socket went while the pairing was stored. The server may know the device or not: login tells. Another
    /// registration that began meanwhile is over.
    private func loginAfterPairing() {
        switch link {
        case .idle, .connecting(_, isPairing: true), .open(_, .registering):
            registrationClosed(.alreadyPaired)
            closeConnection()
            dial(pairing: false)
        case .connecting, .open, .waiting, .stopped, .closed: break
        }
    }

    private func refusePairing(id: String?, _ success: PairSuccess?, _ error: PairingError) {
        logger.warning("pairing refused", metadata: ["error": "\(error)"])
        if let id { sendNow(PairingStanzas.refusal(id: id, error: error)) }
        let event = DeviceEvent.pairError(success, error: error, at: now)
        record { $0.events.append(event) }
        registrationClosed(error.sessionError)
        loseConnection(.idle, reason: error.text)
    }
}
