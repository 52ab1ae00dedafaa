/// What became of an accepted send, as the store keeps it beside the idempotency key: enough to render the answer that
/// the first request did not live to give.
package enum SendFate: Sendable, Equatable {
    /// The server acknowledged it at this time.
    case sent(at: Timestamp, serverID: Int64?)
    /// It was refused with the server's code, or given up. `reason` is one of ``Reason``.
    case failed(reason: Reason, code: Int?)

    package enum Reason: String, Sendable {
        case rejected, timedOut, notRegistered, unreachable, notInGroup, expired, loggedOut
    }

    init(_ error: SessionError) {
        switch error {
        case .sendRejected(let code, _): self = .failed(reason: .rejected, code: code)
        case .sendTimedOut: self = .failed(reason: .timedOut, code: nil)
        case .sendExpired: self = .failed(reason: .expired, code: nil)
        case .ended(let end) where end.erases: self = .failed(reason: .loggedOut, code: nil)
        case .recipientNotRegistered: self = .failed(reason: .notRegistered, code: nil)
        case .notInGroup, .groupNotFound: self = .failed(reason: .notInGroup, code: nil)
        default: self = .failed(reason: .unreachable, code: nil)
        }
    }

    /// The result of the send that this is the fate of.
    package func result(messageID: String, chat: String) -> Result<SendResult, SessionError> {
        switch self {
        case .sent(let at, let serverID):
            .success(SendResult(messageID: messageID, chat: chat, timestamp: at, serverID: serverID))
        case .failed(let reason, let code): .failure(reason.error(messageID: messageID, code: code))
        }
    }
}

extension SendFate.Reason {
    /// What a caller would have been told.
    package func error(messageID: String, code: Int?) -> SessionError {
        switch self {
        case .rejected: .sendRejected(code: code ?? 0, messageID: messageID)
        case .timedOut: .sendTimedOut(messageID: messageID)
        case .notRegistered: .recipientNotRegistered
        case .unreachable: .recipientUnreachable
        case .notInGroup: .notInGroup
        case .expired: .sendExpired(messageID: messageID)
        case .loggedOut: .ended(.unlinked)
        }
    }
}

/// A message that was accepted durably and goes out when the device is connected.
package struct QueuedSend: Sendable {
    package var messageID: String
    /// Canonical chat.
    package var chat: String
    /// When it is given up.
    package var sendBy: Timestamp
    /// Waits at most so long for the server's answer; nil: it is still queued.
    package var outcome: @Sendable (_ limit: Duration) async -> Result<SendResult, SessionError>?

    package init(
        messageID: String, chat: String, sendBy: Timestamp,
        outcome: @escaping @Sendable (_ limit: Duration) async -> Result<SendResult, SessionError>?
    ) {
        self.messageID = messageID
        self.chat = chat
        self.sendBy = sendBy
        self.outcome = outcome
    }
}

extension SessionError {
    /// The send is over: what was accepted does not go out any more. Else the next owner, or the next login, sends it.
    var settlesSend: Bool {
        switch self {
        case .ended(let end): end.erases
        default: !allowsRepetition
        }
    }

    /// A queued message waits this out.
    var isPassing: Bool { allowsRepetition || isOfOneRecipient }

    /// The server did not tell us what we must know of this recipient; it may of others.
    var isOfOneRecipient: Bool {
        switch self {
        case .timedOut, .malformedAnswer: true
        case .serverRefused(let code, _): code >= 500 || code == 429
        default: false
        }
    }

    /// The send did not leave and nothing stands in the way of another attempt: its idempotency key is given back, so that
    /// the same request may come again.
    var allowsRepetition: Bool {
        switch self {
        case .storageUnavailable, .notConnected, .disconnected, .stopping, .timedOut, .ended(.leaseLost): true
        default: false
        }
    }
}
