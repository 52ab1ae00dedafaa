/// Which part of a client handles a stanza from the server (01-transport, section 13; 16, section 2.1).
package enum StanzaRoute: Sendable, Equatable {
    /// `iq`: an answer that somebody waits for, or a request of the server.
    case iq
    /// `ack`: completes a waiter or is dropped.
    case ack
    /// `message`, `appdata`, and `status` (plain status posts in channels).
    case message
    case receipt
    case notification
    case call
    case presence
    case chatState
    /// `ib`: bulletins.
    case bulletin
    case success
    case failure
    case streamError
    /// `xmlstreamend`.
    case streamEnd
    /// A top-level `error`: the server found our last stanza malformed.
    case error
    /// Anything else: logged and dropped.
    case unknown

    package init(_ stanza: Stanza) {
        switch stanza.tag {
        case "iq": self = .iq
        case "ack": self = .ack
        case "message", "appdata", "status": self = .message
        case "receipt": self = .receipt
        case "notification": self = .notification
        case "call": self = .call
        case "presence": self = .presence
        case "chatstate": self = .chatState
        case "ib": self = .bulletin
        case "success": self = .success
        case "failure": self = .failure
        case "stream:error": self = .streamError
        case "xmlstreamend": self = .streamEnd
        case "error": self = .error
        default: self = .unknown
        }
    }

    /// Whether the stanza's effect is committed before it is answered; the others are handled at once, in memory.
    package var isDurable: Bool {
        switch self {
        case .message, .receipt, .notification, .call: true
        default: false
        }
    }

    /// Whether the server repeats the stanza until it is answered with an ack or a receipt.
    package var needsAnswer: Bool { isDurable }

    /// Whether the stanza ends the stream.
    package var endsStream: Bool { self == .failure || self == .streamError || self == .streamEnd }
}
