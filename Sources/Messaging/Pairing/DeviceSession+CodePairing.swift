import Cryptography
import Logging
import NIOPosix
import Transport

/// Pairing by a code that is typed into the phone (02-pairing-login, section 9).
extension DeviceSession {
    package func startCodeLogin(phone: String) async throws -> PairingCode {
        let digits = try PairingPhone.digits(of: phone)
        try await openRegistration(restart: false)
        guard let keys, registration?.current != nil else { throw registration?.errorOnClose ?? .pairingInterrupted }
        let number = linkNumber
        let random = configuration.random
        let code = LinkCode.text(random: random.bytes(5))
        let ephemeral = KeyPair.generate(random: AnyRandom(random))
        let (salt, iv, publicKey) = (random.bytes(32), random.bytes(16), ephemeral.publicKey.raw)
        let wrapped = try await offLoop { try LinkCode.wrap(publicKey, code: code, salt: salt, iv: iv) }
        guard number == linkNumber else { throw SessionError.pairingInterrupted }
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
        // A pairing by QR may have come in between, or another registration.
        guard number == linkNumber, let end = registration?.end else {
            throw registration?.errorOnClose ?? .pairingInterrupted
        }
        registration?.give(.init(code: code, phone: digits, ephemeral: ephemeral.privateKey, ref: ref))
        showPairing()
        let shown = PairingCode(text: LinkCode.shown(code), expiresAt: end)
        let event = DeviceEvent.pairingCode(shown, own: ownNumber, at: now)
        record { $0.events.append(event) }
        return shown
    }

    /// `link_code_companion_reg` and `companion_reg_refresh`, acked at once also before login.
    func pairingNotification(_ stanza: Stanza) {
        sendNow(Acknowledgement.ack(stanza))
        if stanza.type == "companion_reg_refresh" { return refreshSecret() }
        guard let hello = PairingStanzas.PrimaryHello(notification: stanza), registration?.helloArrived(hello) == true
        else { return }
        let number = linkNumber
        Task { await answerHellos(number: number) }
    }

    /// Answers the phone's halves in the order they came: a wrong code shows only at the phone, which may try again, also
    /// before the first answer is out.
    private func answerHellos(number: UInt64) async {
        while number == linkNumber, let next = registration?.nextHello() {
            do { try await answer(next, number: number) } catch {
                logger.warning("code pairing failed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func answer(_ next: RegistrationFlow.HelloToAnswer, number: UInt64) async throws {
        guard let identity = keys?.identity.keyPair else { return }
        let (attempt, hello) = (next.attempt, next.hello)
        let random = LinkCode.FinishRandom(from: AnyRandom(configuration.random))
        let finish = try await offLoop {
            try LinkCode.finish(
                ephemeral: attempt.ephemeral,
                primaryEphemeral: LinkCode.unwrap(hello.wrappedEphemeral, code: attempt.code), identity: identity,
                primaryIdentity: PublicKey(raw: hello.identityPublic), random: random)
        }
        guard number == linkNumber, registration?.isCurrent(next) == true else { return }
        registration?.replaceSecret(answering: finish.advSecret)
        try await committed(storeSecret())
        guard number == linkNumber, registration?.isCurrent(next) == true else { return }
        // The QR on show has to be drawn with the new secret.
        if let current = registration?.current { announce(.qr(current)) }
        Task {
            do {
                _ = try await query {
                    PairingStanzas.companionFinish(
                        id: $0, phone: attempt.phone, wrappedBundle: finish.wrappedBundle,
                        identityPublic: identity.publicKey.raw, ref: hello.ref)
                }
            } catch { logger.warning("companion_finish was not taken", metadata: ["error": "\(error)"]) }
        }
    }

    /// The server asks for a fresh QR: a new ADV secret, and the current ref drawn with it (02, section 6.4).
    private func refreshSecret() {
        guard registration?.current != nil else { return }
        let secret = SecretBytes(configuration.random.bytes(32))
        registration?.replaceSecret(secret)
        let ticket = storeSecret()
        Task {
            try? await committed(ticket)
            if let current = registration?.current { announce(.qr(current)) }
        }
    }

    /// Stores the registration's new ADV secret, with `more`. Must be called in the stretch that gave it the secret; what
    /// depends on the secret waits for the ticket.
    @discardableResult
    func storeSecret(_ more: (inout ChangeSet) -> Void = { _ in }) -> CommitTicket {
        guard let secret = registration?.secret, var changed = credentials, !changed.isPaired else {
            return tickets.newest
        }
        changed.advSecret = secret
        credentials = changed
        return record { changes in
            changes.credentials = .store(changed)
            more(&changes)
        }
    }

    /// Runs slow key derivation (131 072 rounds) beside the loop.
    private func offLoop<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}
