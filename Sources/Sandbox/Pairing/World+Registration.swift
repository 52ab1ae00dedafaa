import Cryptography
import NIOCore
import OrderedCollections
import Transport

/// Registration connections: refs, their lifetimes, and the end of a session (09, sections 7.1 and 7.3).
extension World {
    private static let refAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    /// Ended sessions kept for `GET /v1/pairings`.
    private static let keptPairings = 200

    func register(
        _ connection: ClientConnection, clientKey: PublicKey, client: ConnectingClient, pairingData: Bytes
    ) {
        let registration: PairingSession.Registration
        do {
            registration = try PairingSession.Registration(pairingData: pairingData, revision: client.version.2)
        } catch {
            violation("registration", "\(error)", connection: connection)
            return refuse(connection, .failure(reason: 400))
        }
        if isOutdated(client) { return refuse(connection, .failure(reason: 405)) }
        let session = PairingSession(
            id: nextPairingID, noiseKey: clientKey, registration: registration, started: clock.milliseconds,
            connection: connection)
        nextPairingID += 1
        pairings[session.id] = session
        forgetOldPairings()
        connection.phase = .registering(session)
        connection.settled()
        events.emit(.pairingStarted, connection: connection.id, ["pairing": .int(Int64(session.id))])
        showRefs(of: session, on: connection)
    }

    /// Sends `pair-device` with a new list of refs and starts their clock.
    func showRefs(of session: PairingSession, on connection: ClientConnection) {
        session.refs = (0..<max(1, settings.refCount)).map { _ in
            "2@" + random.text("refs", count: 60, alphabet: Self.refAlphabet)
        }
        connection.send(
            Stanza(
                "iq",
                [
                    "from": .jid(.serverJID), "id": .text(newStanzaID()), "type": "set", "xmlns": "md",
                ],
                children: [
                    Stanza("pair-device", children: session.refs.map { Stanza("ref", bytes: Bytes($0.utf8)) })
                ]))
        events.emit(.pairingRefShown, connection: connection.id, ["pairing": .int(Int64(session.id))])
        guard !settings.endlessRefs else {
            session.expires = nil
            return
        }
        let lifetime =
            settings.firstRefLifetime + (session.refs.count - 1) * settings.refLifetime + settings.refGrace
        session.expires = clock.milliseconds + Int64(lifetime)
        session.timers.append(
            clock.schedule(after: lifetime) { [weak self, weak session] in
                guard let self, let session else { return }
                self.expire(session)
            })
    }

    private func expire(_ session: PairingSession) {
        guard case .waiting = session.state else {
            if case .codeEntered = session.state { finish(session, as: .expired) }
            return
        }
        finish(session, as: .expired)
    }

    /// Ends `session` with `state`, once: tells whoever waits, and closes the connection unless the pairing went through.
    func finish(_ session: PairingSession, as state: PairingSession.State) {
        guard !session.state.isOver else { return }
        session.state = state
        for timer in session.timers { clock.cancel(timer) }
        session.timers = []
        let data: [String: JSONValue] = ["pairing": .int(Int64(session.id)), "state": .string(state.word)]
        switch state {
        case .expired:
            events.emit(.pairingExpired, connection: session.connectionID, data)
            session.connection?.end(with: Stanza("xmlstreamend"))
        case .failed(let reason):
            events.emit(
                .pairingFailed, account: session.offer?.account.phone ?? session.passkey?.account.phone,
                connection: session.connectionID,
                data.merging(["reason": .string(reason)]) { $1 })
            session.connection?.end(with: nil)
        case .completed, .waiting, .codeEntered, .passkeyRequested, .passkeyCode, .signed: break
        }
        phone?.pairingEnded(session)
        let completions = session.completions
        session.completions = []
        for completion in completions { completion(state) }
    }

    /// The connection of `session` is gone.
    func registrationClosed(_ session: PairingSession) {
        finish(session, as: .failed("connection_closed"))
    }

    private func forgetOldPairings() {
        while pairings.count > Self.keptPairings, let old = pairings.values.first(where: { $0.state.isOver }) {
            pairings[old.id] = nil
        }
    }

    // MARK: For the phone and the control API

    /// Known registrations, newest last.
    package var pairingSessions: [PairingSession] { Array(pairings.values) }

    /// The live session that shows `ref`.
    package func pairing(ref: String) -> PairingSession? {
        pairings.values.last { !$0.state.isOver && $0.refs.contains(ref) }
    }

    /// Live sessions in which a code for `account` is awaited, newest last.
    package func pairings(waitingFor account: Account) -> [PairingSession] {
        pairings.values.filter { !$0.state.isOver && $0.linkCode?.phone == account.phone }
    }

    /// The scanning phone knows no companions: the client may show its refs on (W), or end (B).
    package func sendDowngrade(_ session: PairingSession) {
        session.connection?.send(.bulletin(Stanza("downgrade_webclient")))
    }

    /// Ends `session` as failed for `reason`, a word such as `wrong_code`.
    package func failPairing(_ session: PairingSession, reason: String) {
        finish(session, as: .failed(reason))
    }

    /// The state in which `session` ends, or its present state after `timeout` milliseconds of real time.
    package func whenOver(_ session: PairingSession, timeout: Int) async -> PairingSession.State {
        if session.state.isOver { return session.state }
        return await withCheckedContinuation { continuation in
            let answer = OneAnswer(continuation)
            session.completions.append { answer.give($0) }
            SandboxActor.loop.scheduleTask(in: .milliseconds(Int64(timeout))) { [weak session] in
                SandboxActor.run {
                    if let session { answer.give(session.state) }
                }
            }
        }
    }
}

/// Resumes a continuation with the first of several answers.
@SandboxActor
private final class OneAnswer<Value: Sendable> {
    private var continuation: CheckedContinuation<Value, Never>?
    init(_ continuation: CheckedContinuation<Value, Never>) { self.continuation = continuation }
    func give(_ value: Value) {
        continuation?.resume(returning: value)
        continuation = nil
    }
}
