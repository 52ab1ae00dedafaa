import Cryptography

/// One registration connection from `pair-device` to the restart: which QR is on show, which code is pending, whether the
/// reply went out (02-pairing-login, sections 6, 9 and 19). Pure; a requested code does not stop the QR, and the end of the
/// refs ends both.
package struct RegistrationFlow: Sendable {
    package enum Phase: Sendable {
        case awaitingRefs
        case showing(QRRotation)
        /// The server wants a passkey; its refs do not count any more.
        case passkey(PasskeyFlow)
        /// The reply to pair-success is out (or being stored): 515 follows.
        case confirming(jid: String)
        case failed(SessionError)
    }

    /// A code that was asked for.
    package struct CodeAttempt: Sendable {
        package var code: String
        package var phone: String
        package var ephemeral: PrivateKey
        package var ref: [UInt8]

        package init(code: String, phone: String, ephemeral: PrivateKey, ref: [UInt8]) {
            self.code = code
            self.phone = phone
            self.ephemeral = ephemeral
            self.ref = ref
        }
    }

    /// A hello of the phone to answer, with the code it belongs to.
    package struct HelloToAnswer: Sendable {
        package var attempt: CodeAttempt
        package var hello: PairingStanzas.PrimaryHello
        /// Number of the attempt, for `isCurrent`.
        fileprivate var number: Int
    }

    package private(set) var phase = Phase.awaitingRefs
    private var code: CodeAttempt?
    /// Counts the codes given out; the newest is the one that counts.
    private var codeNumber = 0
    /// primary_hello came this often for the newest code; at most three are answered.
    private var hellos = 0
    /// Hellos that wait. They are answered one after the other: a bundle and the secret it carries must be those of the
    /// same hello, and the slow key derivation of two could end in any order.
    private var waitingHellos: [PairingStanzas.PrimaryHello] = []
    private var isAnswering = false
    /// Secrets that went to the phone in earlier answers: it may have used any of them.
    private var earlierCodeSecrets: [SecretBytes] = []
    private var isSecretFromCode = false
    private let noisePublic: [UInt8]
    private let identityPublic: [UInt8]
    private var advSecret: SecretBytes
    private let clientType: ClientType

    package init(noisePublic: [UInt8], identityPublic: [UInt8], advSecret: SecretBytes, clientType: ClientType) {
        self.noisePublic = noisePublic
        self.identityPublic = identityPublic
        self.advSecret = advSecret
        self.clientType = clientType
    }

    /// Texts of all refs and the first to show; nil when the server sent none or pairing is past that.
    package mutating func pairDevice(refs: [String], now: Timestamp) -> (codes: [String], first: QRCode)? {
        switch phase {
        case .awaitingRefs, .showing: break
        case .passkey, .confirming, .failed: return nil
        }
        guard let rotation = QRRotation(refs: refs, now: now) else { return nil }
        phase = .showing(rotation)
        return (refs.map(text), qrCode(rotation))
    }

    package enum TimerAction: Sendable, Equatable {
        case show(QRCode)
        case end(SessionError)
        case nothing
    }

    /// To be called when the code on show or the passkey step expires.
    package mutating func timerFired(at now: Timestamp) -> TimerAction {
        if case .passkey(let flow) = phase {
            guard now >= flow.expiresAt else { return .nothing }
            phase = .failed(.pairingTimedOut)
            return .end(.pairingTimedOut)
        }
        guard case .showing(var rotation) = phase else { return .nothing }
        switch rotation.timerFired(at: now) {
        case .show:
            phase = .showing(rotation)
            return .show(qrCode(rotation))
        case .exhausted:
            phase = .failed(.pairingTimedOut)
            return .end(.pairingTimedOut)
        }
    }

    /// The code on show.
    package var current: QRCode? {
        guard case .showing(let rotation) = phase else { return nil }
        return qrCode(rotation)
    }

    /// The codes that follow the one on show.
    package var upcoming: [QRCode] {
        guard case .showing(let rotation) = phase else { return [] }
        return rotation.upcoming.map { next in
            QRCode(text: text(next.ref), expiresAt: next.expiresAt, index: next.index, count: rotation.refs.count)
        }
    }

    /// When the refs run out, and a pairing code with them.
    package var end: Timestamp? {
        guard case .showing(let rotation) = phase else { return nil }
        return rotation.end
    }

    /// The server wants a fresh QR: codes on show would not pair any more.
    package mutating func replaceSecret(_ secret: SecretBytes) {
        keepCodeSecret()
        advSecret = secret
        isSecretFromCode = false
    }

    // MARK: Code

    /// A code was given out; it replaces the one before.
    package mutating func give(_ attempt: CodeAttempt) {
        code = attempt
        codeNumber += 1
        hellos = 0
        waitingHellos = []
    }

    /// The phone's half arrived. True when answering has to begin; false when it runs, or when there is nothing to answer:
    /// no code of that ref, or a fourth try with it.
    package mutating func helloArrived(_ hello: PairingStanzas.PrimaryHello) -> Bool {
        guard case .showing = phase, let code, code.ref == hello.ref, hellos < 3 else { return false }
        hellos += 1
        waitingHellos.append(hello)
        defer { isAnswering = true }
        return !isAnswering
    }

    /// The next hello to answer; nil ends the answering.
    package mutating func nextHello() -> HelloToAnswer? {
        guard case .showing = phase, let code, !waitingHellos.isEmpty else {
            isAnswering = false
            return nil
        }
        return HelloToAnswer(attempt: code, hello: waitingHellos.removeFirst(), number: codeNumber)
    }

    /// Whether the answer may still be sent: no newer code was given out, and no pairing is being confirmed.
    package func isCurrent(_ answer: HelloToAnswer) -> Bool {
        guard case .showing = phase else { return false }
        return answer.number == codeNumber
    }

    /// The secret of an answer that is about to be sent.
    package mutating func replaceSecret(answering secret: SecretBytes) {
        keepCodeSecret()
        advSecret = secret
        isSecretFromCode = true
    }

    private mutating func keepCodeSecret() {
        if isSecretFromCode { earlierCodeSecrets.append(advSecret) }
    }

    // MARK: Passkey

    /// The server wants a passkey: the present secret makes the handoff key, and `newSecret` replaces it. Asked again, only
    /// the options change. Nil when nothing is on show that somebody could have scanned.
    ///
    /// - Parameter comparesCodes: The exchange never goes on without the person.
    package mutating func demandPasskey(
        options: String, newSecret: SecretBytes, comparesCodes: Bool = false, now: Timestamp
    ) -> PasskeyState? {
        switch phase {
        case .showing:
            let flow = PasskeyFlow(options: options, advSecret: advSecret, comparesCodes: comparesCodes, now: now)
            advSecret = newSecret
            earlierCodeSecrets = []
            isSecretFromCode = false
            phase = .passkey(flow)
            return flow.state
        case .passkey(var flow):
            flow.ask(options: options)
            phase = .passkey(flow)
            return flow.state
        case .awaitingRefs, .confirming, .failed: return nil
        }
    }

    /// Runs `body` on the passkey step; nil when there is none.
    @discardableResult
    package mutating func changePasskey<Result>(_ body: (inout PasskeyFlow) throws -> Result) rethrows -> Result? {
        guard case .passkey(var flow) = phase else { return nil }
        defer { phase = .passkey(flow) }
        return try body(&flow)
    }

    /// What the registration waits for.
    package var step: PairingStep? {
        switch phase {
        case .showing: code == nil ? .qr : .code
        case .passkey(let flow): .passkey(flow.state)
        case .awaitingRefs, .confirming, .failed: nil
        }
    }

    /// The ADV secret in use.
    package var secret: SecretBytes { advSecret }

    /// Secrets that a pair-success may prove, newest first: the present one, and those of earlier answers to the phone.
    package var provableSecrets: [SecretBytes] { [advSecret] + earlierCodeSecrets.reversed() }

    package mutating func confirm(jid: String) { phase = .confirming(jid: jid) }
    package mutating func fail(_ error: SessionError) { phase = .failed(error) }

    package var isConfirming: Bool { if case .confirming = phase { true } else { false } }

    /// What the end of the socket means here.
    package var errorOnClose: SessionError? {
        switch phase {
        case .awaitingRefs, .showing, .passkey: .pairingInterrupted
        case .confirming: nil
        case .failed(let error): error
        }
    }

    private func qrCode(_ rotation: QRRotation) -> QRCode {
        QRCode(
            text: text(rotation.current), expiresAt: rotation.expiresAt, index: rotation.index,
            count: rotation.refs.count)
    }

    private func text(_ ref: String) -> String {
        QRText.make(
            ref: ref, noisePublic: noisePublic, identityPublic: identityPublic, advSecret: advSecret,
            clientType: clientType)
    }
}

/// A phone number for code pairing (02, section 9.4).
package enum PairingPhone {
    /// Digits only. Throws `invalidPhone` when at most six remain or the number starts with 0.
    package static func digits(of text: String) throws(SessionError) -> String {
        let digits = text.filter { $0.isASCII && $0.isNumber }
        guard digits.utf8.count > 6 else { throw .invalidPhone("phone number too short") }
        guard digits.first != "0" else { throw .invalidPhone("phone number must be in international format") }
        guard digits.utf8.count <= 17 else { throw .invalidPhone("phone number too long") }
        return digits
    }
}
