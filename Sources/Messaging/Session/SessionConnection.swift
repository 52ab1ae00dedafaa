import Cryptography
import NIOCore
import Transport

/// An open, handshaken socket, as a session sees it. Used on the session's event loop only.
package protocol SessionConnection: AnyObject, Sendable {
    /// Completes when the bytes were handed to the socket.
    func send(_ stanza: Stanza) -> EventLoopFuture<Void>
    /// Starts the close; `closed` follows.
    func close()
    /// False while more bytes wait than the socket takes: messages are held back then, acks go on.
    var isWritable: Bool { get }
    /// Backpressure: whether the socket is read.
    func setReading(_ isOn: Bool)
}

/// Receives what a connection brings, on the event loop it was made on. After `closed` nothing follows.
package protocol SessionConnectionHandler: AnyObject, Sendable {
    /// Whether the attempt is still wanted: asked when its turn to dial comes and again before it logs in. A login that
    /// nobody wants any more would end the one that runs.
    var isWanted: Bool { get }
    func received(_ stanza: Stanza)
    /// `isWritable` of the connection changed.
    func writabilityChanged()
    func closed(_ reason: String)
}

/// What it takes to open a connection for a device.
package struct ConnectRequest: Sendable {
    package var staticKey: KeyPair
    /// Serialized ClientPayload, for registration or login.
    package var payload: [UInt8]
    package var routingInfo: [UInt8]?
    /// The device's own proxy, nil for the host's default.
    package var proxyURL: String?
    /// Registration connections have their own lane in the admission of new connections (16, section 7.2).
    package var isPairing: Bool
    /// Somebody waits for it.
    package var isUrgent = false
}

/// Opens connections to the server.
package protocol SessionConnector: Sendable {
    /// Dials and shakes hands; the future fails with an error that describes what went wrong.
    func connect(
        _ request: ConnectRequest, on eventLoop: any EventLoop, handler: any SessionConnectionHandler
    ) -> EventLoopFuture<any SessionConnection>
}
