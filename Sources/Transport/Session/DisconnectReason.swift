/// Why a connection ended, as far as both sides said (01-transport, sections 19 and 20; 16, section 2.4).
package enum DisconnectReason: Error, Sendable, Equatable {
    /// We closed it on request.
    case requested
    /// The server refused the login with `<failure>`.
    case failure(LoginFailure)
    /// The server ended the stream with `<stream:error>`.
    case streamError(StreamFault)
    /// The server announced the end with `<xmlstreamend/>` and nothing else.
    case streamEnded
    /// The server closed the websocket with this code, or the socket without one.
    case closedByPeer(code: UInt16?)
    /// The connection could not be made, or broke before the handshake was done.
    case connectFailed(ConnectFailure)
    /// Reading or writing failed.
    case network(String)
    /// A frame that does not decrypt: frames were lost or forged, nothing after it can be read.
    case undecryptableFrame
    /// The bytes received are no websocket messages or no frames.
    case protocolViolation(String)
    /// Several frames in a row held no stanza.
    case malformedStanzas
    /// No answer to keepalive pings for too long.
    case silent
    /// The server does not take what we send: too many bytes waited, or for too long.
    case outgoingOverflow
    /// A direction's counter is used up.
    case counterExhausted
}

/// Why a connection could not be made.
package enum ConnectFailure: Error, Sendable, Equatable {
    /// The URL is not `ws://` or `wss://` with a host.
    case invalidURL(String)
    /// The proxy refused, or speaks something else.
    case proxy(String)
    /// Name resolution or the TCP connection failed.
    case dial(String)
    case tls(String)
    /// The server answered the upgrade with this HTTP status.
    case refused(status: Int)
    /// The server's answer to the upgrade is no websocket handshake.
    case upgrade(String)
    /// Dialing and upgrading, or the handshake, took longer than allowed.
    case timedOut
    /// The Noise handshake was refused by us.
    case handshake(NoiseError)
    /// The peer closed the connection before the handshake was done.
    case closed
}

extension DisconnectReason {
    /// What to do about it.
    package enum Reaction: Sendable, Equatable {
        /// Connect again at once, without backoff.
        case reconnectNow
        /// Connect again on the backoff ladder, `minimumDelay` seconds from now at the earliest.
        case reconnect(minimumDelay: Int)
        /// Look for a newer client version, once; connect again with it, or stop until one is known.
        case refreshVersion
        /// The device is unlinked: stop and delete its keys.
        case loggedOut
        /// Stop for `expiresIn` seconds (nil: until somebody asks).
        case temporaryBan(expiresIn: Int?)
        /// Another connection of the same device took over: stop, do not fight.
        case replaced
        /// Stop until somebody asks.
        case stop
    }

    package var reaction: Reaction {
        switch self {
        case .requested: .stop
        case .failure(let failure): failure.reaction
        case .streamError(let fault): fault.reaction
        case .connectFailed(.invalidURL): .stop
        case .connectFailed(.refused(let status)) where status == 429 || status == 503: .reconnect(minimumDelay: 30)
        case .connectFailed, .streamEnded, .closedByPeer, .network, .undecryptableFrame, .protocolViolation,
            .malformedStanzas, .silent, .outgoingOverflow:
            .reconnect(minimumDelay: 0)
        case .counterExhausted: .reconnectNow
        }
    }
}
