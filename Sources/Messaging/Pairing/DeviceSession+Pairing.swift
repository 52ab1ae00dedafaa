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
        return QRLogin(current: current, updates: subscribe())
    }

    package func startCodeLogin(phone: String) async throws -> PairingCode {
        let digits = try PairingPhone.digits(of: phone)
        try await openRegistration(restart: false)
        guard let keys, let end = registration?.end else { throw registration?.errorOnClose ?? .pairingInterrupted }
        let random = configuration.random
        let code = LinkCode.text(random: random.bytes(5))
        let ephemeral = KeyPair.generate(random: AnyRandom(random))
        let (salt, iv, publicKey) = (random.bytes(32), random.bytes(16), ephemeral.publicKey.raw)
        let wrapped = try await offLoop { try LinkCode.wrap(publicKey, code: code, salt: salt, iv: iv) }
        let hello = PairingStanzas.CompanionHello(
            phone: digits, wrappedEphemeral: wrapped, noisePublic: keys.noise.publicKey.raw,
            clientType: clientType, displayName: configuration.pairingDisplayName)
        let answer: Stanza
        do {
            answer = try await query(timeout: 20) { PairingStanzas.companionHello(id: $0, hello) }
        } catch SessionError.serverRefused(400, _) {
            throw SessionError.displayOrNumberRejected
        } catch SessionError.serverRefused(429, _) {
            throw SessionError.rateLimited(retryAfter: nil)
        }
        guard let ref = PairingStanzas.companionHelloRef(answer) else {
            throw SessionError.malformedAnswer("companion_hello without ref")
        }
        registration?.code = .init(code: code, phone: digits, ephemeral: ephemeral.privateKey, ref: ref)
        let shown = PairingCode(text: LinkCode.shown(code), expiresAt: end)
        let event = DeviceEvent.pairingCode(shown, own: ownNumber, at: now)
        record { $0.events.append(event) }
        return shown
    }

    private var clientType: ClientType { ClientType(platform: configuration.companion.platform) }

    // MARK: The registration connection

    /// Makes sure that a registration connection is open and its refs are here. Throws `alreadyPaired`, or why not.
    private func openRegistration(restart: Bool) async throws {
        guard !isClosed else { throw SessionError.stopping }
        if credentials == nil, let stored = try await load({ try await store.credentials(did: did) }) {
            try adopt(stored)
        }
        if credentials?.isPaired == true { throw SessionError.alreadyPaired }
        if restart, registration != nil, registration?.isConfirming != true {
            registrationClosed(.pairingInterrupted)
            closeConnection()
        }
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
        let waiters = registrationWaiters
        registrationWaiters = [:]
        for waiter in waiters.values { waiter.resume() }
    }

    private func show(_ code: QRCode) {
        announce(.qr(code))
        schedule(.qr, milliseconds: code.expiresAt.milliseconds - now.milliseconds) { $0.qrExpired() }
    }

    private func qrExpired() {
        switch registration?.timerFired(at: now) {
        case .show(let code): show(code)
        case .end(let error):
            registrationClosed(error)
            closeConnection()
            becomeIdle(error: "pairing timed out")
        case .nothing, nil: break
        }
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
        case .qr, .scannedWithoutMultidevice: break
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
        cancel(.qr)
        let waiters = registrationWaiters
        registrationWaiters = [:]
        for waiter in waiters.values { waiter.resume(throwing: error) }
        announce(.failed(error))
    }

    /// The socket of a registration connection is gone: after the reply to pair-success that is as good as the 515
    /// (02, section 8), else pairing is over.
    func registrationConnectionClosed(_ reason: String) {
        if registration?.isConfirming == true, credentials?.isPaired == true {
            registration = nil
            return dial(pairing: false)
        }
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
            if let time = success.timestamp { clockOffset = time * 1000 - now.milliseconds }
            let verified = try success.verified(
                advSecret: credentials.advSecret, identity: identity, random: configuration.random.bytes(64))
            registration?.confirm(jid: success.jid.description)
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
        publish { $0.end = nil }
        announce(.paired(jid: success.jid.description))
        guard number == linkNumber, case .open = link else {
            // The socket went while the pairing was stored. The server may know the device or not: login tells.
            registration = nil
            if case .idle = link { dial(pairing: false) }
            return
        }
        sendNow(PairingStanzas.pairDeviceSign(id: success.id, pairing: verified))
        sendNow(LoginStanzas.unifiedSession(serverMilliseconds: now.milliseconds + clockOffset))
        schedule(.restart, seconds: configuration.timeouts.restart) { session in
            session.registration = nil
            session.loseConnection(.immediately, reason: "no restart after pairing")
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

    // MARK: Code pairing

    /// `link_code_companion_reg` and `companion_reg_refresh`, acked at once also before login.
    func pairingNotification(_ stanza: Stanza) {
        sendNow(Acknowledgement.ack(stanza))
        if stanza.type == "companion_reg_refresh" { return refreshSecret() }
        guard let hello = PairingStanzas.PrimaryHello(notification: stanza), var attempt = registration?.code,
            attempt.ref == hello.ref, attempt.hellos < 3
        else { return }
        attempt.hellos += 1
        registration?.code = attempt
        let number = linkNumber
        Task { await finishCode(attempt, hello, number: number) }
    }

    /// Answers the phone's half: a wrong code shows only at the phone, which may try again.
    private func finishCode(
        _ attempt: RegistrationFlow.CodeAttempt, _ hello: PairingStanzas.PrimaryHello, number: UInt64
    ) async {
        guard let identity = keys?.identity.keyPair else { return }
        let random = LinkCode.FinishRandom(from: AnyRandom(configuration.random))
        do {
            let finish = try await offLoop {
                try LinkCode.finish(
                    ephemeral: attempt.ephemeral,
                    primaryEphemeral: LinkCode.unwrap(hello.wrappedEphemeral, code: attempt.code), identity: identity,
                    primaryIdentity: PublicKey(raw: hello.identityPublic), random: random)
            }
            guard number == linkNumber else { return }
            try await replaceSecret(finish.advSecret)
            guard number == linkNumber else { return }
            _ = try await query {
                PairingStanzas.companionFinish(
                    id: $0, phone: attempt.phone, wrappedBundle: finish.wrappedBundle,
                    identityPublic: identity.publicKey.raw, ref: hello.ref)
            }
        } catch { logger.warning("code pairing failed", metadata: ["error": "\(error)"]) }
    }

    /// The server asks for a fresh QR: a new ADV secret, and the current ref drawn with it (02, section 6.4).
    private func refreshSecret() {
        guard registration?.current != nil else { return }
        let secret = SecretBytes(configuration.random.bytes(32))
        Task {
            try? await replaceSecret(secret)
            if let current = registration?.current { announce(.qr(current)) }
        }
    }

    /// Stores a new ADV secret before anything that depends on it is sent.
    private func replaceSecret(_ secret: SecretBytes) async throws {
        guard var changed = credentials, !changed.isPaired else { return }
        changed.advSecret = secret
        credentials = changed
        registration?.replaceSecret(secret)
        var draft = makeDraft()
        draft.changes.credentials = .store(changed)
        try await commit(draft)
    }

    /// Runs slow key derivation (131 072 rounds) beside the loop.
    private func offLoop<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}
