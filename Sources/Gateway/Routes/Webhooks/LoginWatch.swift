import Messaging

/// What a running login says beside its events, which have no word for it: read off the states of the device's session, one
/// after the other (12-device-scoping-api, sections 9.4 and 13). Pure.
struct LoginWatch {
    enum News: Equatable, Sendable {
        /// The code to compare with the phone's.
        case confirmation(code: String, skipsHandoff: Bool)
        /// The passkey step failed, or one assertion was not taken. `continuation`: the phone had answered already.
        case failure(String, continuation: Bool)
        /// Nobody finished the login in time.
        case timeout
    }

    /// What the login waited for when it was last looked at.
    private var last: PairingStep?

    /// - Parameter state: nil when this node has no session of the device.
    mutating func look(at state: ConnectionState?) -> [News] {
        switch (state?.pairing, last) {
        case (.passkey(let passkey), let before):
            last = .passkey(passkey)
            if case .passkey(let earlier) = before { return Self.changes(to: passkey, from: earlier) }
            return Self.changes(to: passkey, from: nil)
        case (let step?, _):
            last = step
            return []
        case (nil, let before?):
            return ended(before, state)
        case (nil, nil):
            return []
        }
    }

    private static func changes(to passkey: PasskeyState, from earlier: PasskeyState?) -> [News] {
        var news: [News] = []
        if !passkey.lastError.isEmpty, passkey.lastError != earlier?.lastError {
            news.append(.failure(passkey.lastError, continuation: false))
        }
        if let told = confirmation(passkey), told != earlier.flatMap({ confirmation($0) }) {
            news.append(told)
        }
        return news
    }

    private static func confirmation(_ passkey: PasskeyState) -> News? {
        switch passkey.step {
        case .awaitingResponse, .responded: nil
        case .awaitingConfirmation(let code, let skips), .confirmed(let code, let skips):
            .confirmation(code: code, skipsHandoff: skips)
        }
    }

    /// The login waits for nothing any more. Why is known once the session is at rest.
    private mutating func ended(_ before: PairingStep, _ state: ConnectionState?) -> [News] {
        guard let state, !state.isPaired else {
            last = nil
            return []
        }
        guard state.phase == .idle || state.phase == .stopped else { return [] }
        last = nil
        if state.lastError == ConnectionState.pairingTimedOut { return [.timeout] }
        guard case .passkey(let passkey) = before, !state.lastError.isEmpty else { return [] }
        return [.failure(state.lastError, continuation: passkey.step != .awaitingResponse)]
    }
}
