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
    /// The caller had lost interest before the handshake was done.
    case unwanted
    /// The peer closed the connection before the handshake was done.
    case closed
}
