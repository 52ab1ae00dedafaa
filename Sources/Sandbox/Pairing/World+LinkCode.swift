import Cryptography
import OrderedCollections
import Transport

/// The server's part of pairing by code (09, section 8; 02, section 9).
extension World {
    /// Requests of one account within this world time, when the limit is switched on.
    private static let attempts = 3
    private static let attemptWindow: Int64 = 600_000

    /// `<link_code_companion_reg stage=…>` of an unpaired client.
    func linkCode(_ iq: Stanza, _ node: Stanza, session: PairingSession, on connection: ClientConnection) {
        switch node["stage"] {
        case "companion_hello": companionHello(iq, node, session: session, on: connection)
        case "companion_finish": companionFinish(iq, node, session: session, on: connection)
        case "get_country_code":
            connection.send(
                .result(
                    to: iq,
                    children: [
                        Stanza(
                            "link_code_companion_reg", ["stage": "get_country_code"],
                            children: [Stanza("country_code", ["iso": "US"])])
                    ]))
        default: connection.send(.error(to: iq, .badRequest))
        }
    }

    private func companionHello(
        _ iq: Stanza, _ node: Stanza, session: PairingSession, on connection: ClientConnection
    ) {
        guard let wrapped = node.child("link_code_pairing_wrapped_companion_ephemeral_pub")?.bytesContent,
            wrapped.count == 80,
            let display = node.child("companion_platform_display")?.textContent, Self.isPlatformDisplay(display),
            node.child("companion_server_auth_key_pub")?.bytesContent == session.noiseKey.raw,
            let number = node.jid("jid")?.user, !number.isEmpty
        else {
            violation("link_code", "companion_hello is malformed", connection: connection, stanza: iq)
            return connection.send(.error(to: iq, .badRequest))
        }
        guard let account = accounts[number], account.isRegistered else {
            return connection.send(.error(to: iq, .itemNotFound))
        }
        if settings.codeRateLimit,
            !rates.allow(
                "link_code/\(number)", limit: Self.attempts, window: Self.attemptWindow, now: clock.milliseconds)
        {
            return connection.send(.error(to: iq, .rateOverLimit))
        }
        let ref = random.stream("link-code/refs").bytes(16)
        session.linkCode = PairingSession.LinkCode(
            phone: account.phone, wrappedEphemeral: wrapped, ref: ref, platformDisplay: display,
            shouldNotify: node["should_show_push_notification"] == "true", started: clock.milliseconds)
        session.state = .waiting
        connection.send(
            .result(
                to: iq,
                children: [
                    Stanza(
                        "link_code_companion_reg", ["stage": "companion_hello"],
                        children: [Stanza("link_code_pairing_ref", bytes: ref)])
                ]))
        events.emit(
            .pairingStarted, account: account.phone, connection: connection.id,
            ["pairing": .int(Int64(session.id)), "code": true, "display": .string(display)])
    }

    private func companionFinish(
        _ iq: Stanza, _ node: Stanza, session: PairingSession, on connection: ClientConnection
    ) {
        guard let bundle = node.child("link_code_pairing_wrapped_key_bundle")?.bytesContent, bundle.count == 156,
            let identity = node.child("companion_identity_public")?.bytesContent, identity.count == 32,
            node.child("link_code_pairing_ref")?.bytesContent == session.linkCode?.ref,
            case .codeEntered = session.state
        else {
            violation("link_code", "companion_finish is malformed or not due", connection: connection, stanza: iq)
            return connection.send(.error(to: iq, .badRequest))
        }
        connection.send(.result(to: iq))
        afterwards { [weak self, weak session] in
            guard let self, let session, !session.state.isOver else { return }
            self.phone?.linkCodeFinished(session, wrappedBundle: bundle, companionIdentity: identity)
        }
    }

    /// `Name (OS)`.
    private static func isPlatformDisplay(_ text: String) -> Bool {
        guard let open = text.firstIndex(of: "("), text.hasSuffix(")") else { return false }
        let name = text[..<open]
        let system = text[text.index(after: open)...].dropLast()
        return name.contains { $0 != " " } && !system.isEmpty
    }

    // MARK: For the phone

    /// Sends `primary_hello`: the phone's wrapped ephemeral key (80 bytes) and the account's identity. May be repeated, when
    /// the person typed a wrong code. Throws ``WorldError/pairingState(_:)``.
    package func sendPrimaryHello(
        _ session: PairingSession, wrappedEphemeral: Bytes, identity: PublicKey
    ) throws(WorldError) {
        guard let connection = session.connection, let code = session.linkCode, !session.state.isOver else {
            throw .pairingState(session.state.word)
        }
        session.state = .codeEntered
        connection.send(
            Stanza(
                "notification",
                [
                    "from": .jid(.serverJID), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                    "type": "link_code_companion_reg",
                ],
                children: [
                    Stanza(
                        "link_code_companion_reg", ["stage": "primary_hello"],
                        children: [
                            Stanza("link_code_pairing_wrapped_primary_ephemeral_pub", bytes: wrappedEphemeral),
                            Stanza("primary_identity_pub", bytes: identity.raw),
                            Stanza("link_code_pairing_ref", bytes: code.ref),
                        ])
                ]))
    }

    /// The code was wrong: the session waits for another one.
    package func rejectCode(_ session: PairingSession) {
        guard case .codeEntered = session.state else { return }
        session.state = .waiting
        events.emit(
            .pairingFailed, account: session.linkCode?.phone, connection: session.connectionID,
            ["pairing": .int(Int64(session.id)), "reason": "wrong_code"])
    }
}
