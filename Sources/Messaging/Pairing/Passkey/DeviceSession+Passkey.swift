import Cryptography
import Logging
import Transport

/// The passkey step while linking (02-pairing-login, section 10): WhatsApp demands it of a growing share of accounts.
extension DeviceSession {
    // MARK: DeviceClient

    package func respondToPasskey(_ assertion: PasskeyAssertion) async throws {
        guard let credentialID = assertion.credentialID else { throw SessionError.invalidAssertion }
        guard registration?.changePasskey({ $0.respond() }) == true else { throw SessionError.passkeyNotPending }
        showPairing()
        let number = linkNumber
        let random = configuration.random
        do {
            guard let ref = PasskeyStanzas.ref(of: try await query { PasskeyStanzas.refQuery(id: $0) }) else {
                throw SessionError.malformedAnswer("no ref for the passkey prologue")
            }
            let exchange = PasskeyExchange(
                ephemeral: KeyPair.generate(random: AnyRandom(random)),
                deviceType: configuration.companion.platformNumber, ref: ref, nonce: random.bytes(32))
            let now = now
            guard number == linkNumber,
                let (isWanted, proof) = registration?.changePasskey({ $0.send(exchange, now: now) }), isWanted
            else { throw SessionError.passkeyNotPending }
            _ = try await query {
                PasskeyStanzas.prologue(
                    id: $0, credentialID: credentialID, assertion: assertion.json, payload: exchange.payload,
                    proof: proof)
            }
        } catch {
            if number == linkNumber {
                registration?.changePasskey { $0.refused("\(error)") }
                showPairing()
            }
            if case SessionError.serverRefused(400, _) = error { throw SessionError.assertionRefused }
            throw error
        }
    }

    package func confirmPasskey() async throws {
        guard let agreement = registration?.changePasskey({ $0.confirm() }) ?? nil else {
            throw SessionError.passkeyNotPending
        }
        showPairing()
        let number = linkNumber
        do { try await requestPairing(agreement) } catch {
            if number == linkNumber {
                registration?.changePasskey { $0.unconfirm() }
                showPairing()
            }
            throw error
        }
    }

    // MARK: Notifications

    /// `passkey_prologue_request` and `crsc_continuation`, acked at once; only the server itself may send them.
    func passkeyNotification(_ stanza: Stanza) {
        sendNow(Acknowledgement.ack(stanza))
        guard stanza.from == .serverJID, case .open(_, .registering) = link, registration?.isConfirming == false else {
            return
        }
        if stanza.type == "crsc_continuation" { return continuePasskey(stanza) }
        if let options = PasskeyStanzas.options(in: stanza) { return demandPasskey(options) }
        let number = linkNumber
        Task { await askForPasskeyOptions(number: number) }
    }

    private func askForPasskeyOptions(number: UInt64) async {
        do {
            let answer = try await query { PasskeyStanzas.optionsQuery(id: $0) }
            guard number == linkNumber, registration?.isConfirming == false else { return }
            guard let options = PasskeyStanzas.options(in: answer) else {
                throw SessionError.malformedAnswer("unreadable passkey options")
            }
            demandPasskey(options)
        } catch {
            guard number == linkNumber else { return }
            passkeyFailed("\(error)")
        }
    }

    /// The server wants an assertion. From here on a new ADV secret counts, and the registration lives for five minutes.
    private func demandPasskey(_ options: String) {
        let secret = SecretBytes(configuration.random.bytes(32))
        let demanded = registration?.demandPasskey(
            options: options, newSecret: secret, comparesCodes: configuration.comparesPasskeyCodes, now: now)
        guard let state = demanded else { return }
        schedule(.qr, milliseconds: state.expiresAt.milliseconds - now.milliseconds) { $0.registrationTimerFired() }
        let event = DeviceEvent.passkeyRequired(options: options, own: ownNumber, at: now)
        storeSecret { $0.events.append(event) }
        showPairing()
    }

    private func continuePasskey(_ stanza: Stanza) {
        let number = linkNumber
        do {
            guard let primary = PasskeyStanzas.PrimaryIdentity(notification: stanza) else {
                return passkeyFailed("unreadable crsc_continuation")
            }
            guard let nonce = try registration?.changePasskey({ try $0.continued(primary) }) ?? nil else { return }
            Task { await showNonce(nonce, number: number) }
        } catch { passkeyFailed("\(error)") }
    }

    private func showNonce(_ nonce: [UInt8], number: UInt64) async {
        do {
            _ = try await query { PasskeyStanzas.companionNonce(id: $0, nonce) }
            guard number == linkNumber else { return }
            let goesOn = registration?.changePasskey { $0.agreed() } ?? false
            showPairing()
            guard goesOn, let agreement = registration?.changePasskey({ $0.confirm() }) ?? nil else { return }
            showPairing()
            try await requestPairing(agreement)
        } catch {
            guard number == linkNumber else { return }
            passkeyFailed("\(error)")
        }
    }

    /// Our keys and the secret, which is stored by now, under the key agreed on.
    private func requestPairing(_ agreement: PasskeyExchange.Agreement) async throws {
        try await committed(tickets.newest)
        guard let keys, let credentials else { throw SessionError.pairingInterrupted }
        let request = try agreement.request(
            noisePublic: keys.noise.publicKey.raw, identityPublic: credentials.identityPublic,
            advSecret: credentials.advSecret, iv: configuration.random.bytes(12))
        _ = try await query { PasskeyStanzas.pairingRequest(id: $0, request) }
    }

    private func passkeyFailed(_ reason: String) {
        logger.warning("pairing by passkey failed", metadata: ["error": "\(reason)"])
        let event = DeviceEvent.pairError(nil, error: .passkey(reason), at: now)
        record { $0.events.append(event) }
        registrationClosed(.pairingRejected(reason))
        loseConnection(.idle, reason: reason)
    }
}
