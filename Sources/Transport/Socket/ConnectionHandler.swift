/// What happens on a ``NoiseConnection``. Every method is called on the connection's event loop, one at a time, in the
/// order of the wire.
package protocol ConnectionHandler: AnyObject, Sendable {
    /// Asked before the handshake's last message, which logs in: false gives the connection up as `unwanted`.
    var isWanted: Bool { get }
    /// The handshake is done; called before the future of `connect` succeeds and before anything is received.
    func connected(_ connection: NoiseConnection)
    /// A stanza arrived. Also `<failure>`, `<stream:error>` and `<xmlstreamend/>`, after which the connection closes by
    /// itself.
    func received(_ stanza: Stanza)
    /// A frame that held no stanza was dropped; `count` of them in a row. At three the connection closes.
    func dropped(_ error: StanzaError, count: Int)
    /// More bytes wait than the socket takes (false), or few enough again (true). While false, hold back sends; acks may go on.
    func writabilityChanged(_ isWritable: Bool)
    /// The connection is over, once, after every stanza that arrived. Not called when `connect` failed.
    func closed(reason: DisconnectReason)
}

extension ConnectionHandler {
    package var isWanted: Bool { true }
    package func connected(_ connection: NoiseConnection) {}
    package func dropped(_ error: StanzaError, count: Int) {}
    package func writabilityChanged(_ isWritable: Bool) {}
}
