import Cryptography

/// What linking by passkey waits for, as callers see it (12-device-scoping-api, section 9.4).
package struct PasskeyState: Sendable, Equatable {
    package enum Step: Sendable, Equatable {
        /// WhatsApp wants the assertion of the person's authenticator.
        case awaitingResponse
        /// The assertion is on its way, or at the phone.
        case responded
        /// `code` (`XXXX-XXXX`) is to be compared with the phone's; the exchange goes on by itself when it `skipsHandoff`.
        case awaitingConfirmation(code: String, skipsHandoff: Bool)
        /// Confirmed; pair-success follows.
        case confirmed(code: String, skipsHandoff: Bool)
    }

    package var step: Step
    /// The public-key request options, a JSON object as received.
    package var options: String
    package var expiresAt: Timestamp
    /// Why the last assertion was not taken; empty at first.
    package var lastError: String

    package init(step: Step, options: String, expiresAt: Timestamp, lastError: String = "") {
        self.step = step
        self.options = options
        self.expiresAt = expiresAt
        self.lastError = lastError
    }
}

/// The passkey step of a registration, from the server's request to the encrypted pairing request (02-pairing-login,
/// section 10). Pure. It begins when the server asks and lasts five minutes, whatever the refs do.
package struct PasskeyFlow: Sendable {
    private enum Stage: Sendable {
        case awaitingResponse
        /// The ref for the prologue is being asked for.
        case preparing
        /// The prologue is out: the phone's half may come, also before the answer to it.
        case awaitingContinuation(PasskeyExchange)
        /// Our nonce is out.
        case agreeing(PasskeyExchange.Agreement)
        case awaitingConfirmation(PasskeyExchange.Agreement)
        case confirmed(PasskeyExchange.Agreement)
    }

    static let lifetime: Int64 = 300

    private var stage = Stage.awaitingResponse
    private var options: String
    private let handoffKey: SecretBytes
    private let comparesCodes: Bool
    /// End of the exchange, and of the handoff key.
    package let expiresAt: Timestamp
    /// The proof went with the prologue: nobody has to compare codes.
    private var skipsHandoff = false
    private var lastError = ""

    /// - Parameters:
    ///   - advSecret: the one the phone was given by QR or code, which a new one replaces now.
    ///   - comparesCodes: the person compares codes, although the proof could spare that.
    package init(options: String, advSecret: SecretBytes, comparesCodes: Bool = false, now: Timestamp) {
        self.options = options
        self.comparesCodes = comparesCodes
        handoffKey = PasskeyExchange.handoffKey(advSecret: advSecret)
        expiresAt = now.adding(seconds: Self.lifetime)
    }

    package var state: PasskeyState {
        let step: PasskeyState.Step =
            switch stage {
            case .awaitingResponse: .awaitingResponse
            case .preparing, .awaitingContinuation, .agreeing: .responded
            case .awaitingConfirmation(let agreement):
                .awaitingConfirmation(code: LinkCode.shown(agreement.code), skipsHandoff: skipsHandoff)
            case .confirmed(let agreement):
                .confirmed(code: LinkCode.shown(agreement.code), skipsHandoff: skipsHandoff)
            }
        return PasskeyState(step: step, options: options, expiresAt: expiresAt, lastError: lastError)
    }

    /// The server asks again, with another challenge: what was answered to the one before is void.
    package mutating func ask(options: String) {
        self.options = options
        stage = .awaitingResponse
    }

    /// The caller has an assertion; false when none is wanted.
    package mutating func respond() -> Bool {
        guard case .awaitingResponse = stage else { return false }
        stage = .preparing
        lastError = ""
        return true
    }

    /// The prologue goes out with this proof, nil after the handoff key's time or when codes are compared. False when the assertion is void by now.
    package mutating func send(_ exchange: PasskeyExchange, now: Timestamp) -> (isWanted: Bool, proof: [UInt8]?) {
        guard case .preparing = stage else { return (false, nil) }
        stage = .awaitingContinuation(exchange)
        skipsHandoff = now < expiresAt && !comparesCodes
        return (true, skipsHandoff ? exchange.proof(handoffKey: handoffKey) : nil)
    }

    /// The assertion was not taken, or could not be sent: another one is wanted. Once the phone has answered it is too late
    /// for that.
    package mutating func refused(_ reason: String) {
        switch stage {
        case .preparing, .awaitingContinuation:
            stage = .awaitingResponse
            lastError = reason
        case .awaitingResponse, .agreeing, .awaitingConfirmation, .confirmed: break
        }
    }

    /// The phone's half: returns our nonce to show it, or nil when no answer of the phone is due. Throws
    /// `CryptographyError`.
    package mutating func continued(_ primary: PasskeyStanzas.PrimaryIdentity) throws -> [UInt8]? {
        guard case .awaitingContinuation(let exchange) = stage else { return nil }
        stage = .agreeing(try exchange.agree(with: primary))
        return exchange.nonce
    }

    /// The phone took our nonce: both show the code. True when the exchange goes on without the person.
    package mutating func agreed() -> Bool {
        guard case .agreeing(let agreement) = stage else { return false }
        stage = .awaitingConfirmation(agreement)
        return skipsHandoff
    }

    /// The codes are equal; nil when nothing waits for that.
    package mutating func confirm() -> PasskeyExchange.Agreement? {
        guard case .awaitingConfirmation(let agreement) = stage else { return nil }
        stage = .confirmed(agreement)
        return agreement
    }

    /// The pairing request could not be sent: it may be confirmed again.
    package mutating func unconfirm() {
        guard case .confirmed(let agreement) = stage else { return }
        stage = .awaitingConfirmation(agreement)
    }
}
