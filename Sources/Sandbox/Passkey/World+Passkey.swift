import Cryptography
import OrderedCollections
import Transport

/// The server's part of pairing by passkey: off unless an account or a call demands it (09, section 9; 02, section 10).
extension World {
    private static let refAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

    /// Begins the step on the registration connection. `secret`: the ADV secret of the QR or code.
    func demandPasskey(_ session: PairingSession, of account: Account, secret: Bytes) {
        let source = random.stream("account/\(account.phone)/passkey")
        session.passkey = PasskeyExchange(
            account: account, firstSecret: secret, challenge: source.bytes(32),
            credentials: passkeyCredentials(of: account), primary: .generate(random: source),
            primaryNonce: source.bytes(32))
        session.state = .passkeyRequested
        for timer in session.timers { clock.cancel(timer) }
        session.timers = [
            clock.schedule(after: settings.passkeyTimeout) { [weak self, weak session] in
                guard let self, let session else { return }
                self.finish(session, as: .failed("passkey_timeout"))
            }
        ]
        session.expires = clock.milliseconds + Int64(settings.passkeyTimeout)
        sendPasskeyNotice(
            "passkey_prologue_request", Stanza("passkey_request_options", bytes: passkeyOptions(session)), session)
        events.emit(
            .pairingPasskeyRequested, account: account.phone, connection: session.connectionID,
            ["pairing": .int(Int64(session.id))])
    }

    /// Raw ids of an account's credentials; one of its own where none was given.
    private func passkeyCredentials(of account: Account) -> [Bytes] {
        account.passkeyCredentials.isEmpty
            ? [random.constant("account/\(account.phone)/passkey-credential", 16)] : account.passkeyCredentials
    }

    private func passkeyOptions(_ session: PairingSession) -> Bytes {
        session.passkey?.options(relyingParty: settings.passkeyRelyingParty, timeout: settings.passkeyTimeout) ?? []
    }

    private func sendPasskeyNotice(_ type: String, _ child: Stanza, _ session: PairingSession) {
        session.connection?.send(
            Stanza(
                "notification",
                [
                    "from": .jid(.serverJID), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                    "type": .text(type),
                ], children: [child]))
    }

    static let passkeyRequests: Set<String> = [
        "passkey_request_options", "ref", "passkey_prologue", "companion_nonce", "encrypted_pairing_request",
    ]

    /// One of the step's requests; 501 for a client that was not asked for a passkey.
    func passkey(_ iq: Stanza, _ node: Stanza, session: PairingSession, on connection: ClientConnection) {
        guard session.passkey != nil, !session.state.isOver else {
            return connection.send(.error(to: iq, .notImplemented))
        }
        switch node.tag {
        case "passkey_request_options":
            connection.send(
                .result(to: iq, children: [Stanza("passkey_request_options", bytes: passkeyOptions(session))]))
        case "ref":
            let ref = session.passkey?.ref ?? "2@" + random.text("refs", count: 60, alphabet: Self.refAlphabet)
            session.passkey?.ref = ref
            connection.send(.result(to: iq, children: [Stanza("ref", bytes: Bytes(ref.utf8))]))
        case "passkey_prologue":
            step(iq, session, on: connection) { exchange throws(PasskeyExchange.Failure) in
                try exchange.takePrologue(node)
            }
            guard let exchange = session.passkey, exchange.companion != nil, !session.state.isOver else { return }
            sendPasskeyNotice(
                "crsc_continuation", Stanza("primary_ephemeral_identity", bytes: exchange.primaryIdentity), session)
        case "companion_nonce":
            step(iq, session, on: connection) { exchange throws(PasskeyExchange.Failure) in
                _ = try exchange.takeNonce(node.bytesContent ?? [])
            }
            showCode(of: session)
        case "encrypted_pairing_request":
            connection.send(.result(to: iq))
            session.passkey?.waitingRequest = node.bytesContent ?? []
            afterwards { [weak self, weak session] in
                guard let self, let session, !session.state.isOver else { return }
                self.phone?.passkeyAnswered(session)
            }
        default: connection.send(.error(to: iq, .notImplemented))
        }
    }

    /// Does one step and answers it; a wrong one ends the pairing.
    private func step(
        _ iq: Stanza, _ session: PairingSession, on connection: ClientConnection,
        _ body: (inout PasskeyExchange) throws(PasskeyExchange.Failure) -> Void
    ) {
        guard var exchange = session.passkey else { return }
        do throws(PasskeyExchange.Failure) {
            try body(&exchange)
            session.passkey = exchange
            connection.send(.result(to: iq))
        } catch {
            violation("passkey", "\(error)", connection: connection)
            connection.send(.error(to: iq, .badRequest))
            finish(session, as: .failed("passkey_refused"))
        }
    }

    private func showCode(of session: PairingSession) {
        guard let exchange = session.passkey, let code = exchange.code, !session.state.isOver else { return }
        session.state = .passkeyCode
        events.emit(
            .pairingPasskeyCode, account: exchange.account.phone, connection: session.connectionID,
            [
                "pairing": .int(Int64(session.id)), "code": .string(code),
                "needs_confirmation": .bool(!exchange.isProven),
            ])
    }
}
