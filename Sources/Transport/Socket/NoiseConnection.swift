import Cryptography
import NIOCore
import NIOPosix
import NIOSSL

/// A connected, handshaken socket to the chat server: stanzas in, stanzas out (01-transport, sections 2 to 7).
///
/// Belongs to one event loop. Every method may be called from any thread and hops there; order of calls on the loop is
/// order on the wire.
package final class NoiseConnection: Sendable {
    package let eventLoop: any EventLoop
    private let channel: any Channel
    private let handler: NIOLoopBound<NoiseConnectionHandler>

    init(channel: any Channel, handler: NoiseConnectionHandler) {
        eventLoop = channel.eventLoop
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
    }

    /// Sends `stanza`. Succeeds when the operating system took its bytes, fails with ``StanzaError`` when it cannot be
    /// encoded (the connection lives on) or with the ``DisconnectReason``.
    package func send(_ stanza: Stanza) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        if eventLoop.inEventLoop {
            handler.value.send(stanza, promise: promise)
        } else {
            eventLoop.execute { self.handler.value.send(stanza, promise: promise) }
        }
        return promise.futureResult
    }

    /// Sends `stanza` without telling what became of it: for acks, receipts and pings.
    package func enqueue(_ stanza: Stanza) {
        if eventLoop.inEventLoop {
            handler.value.send(stanza, promise: nil)
        } else {
            eventLoop.execute { self.handler.value.send(stanza, promise: nil) }
        }
    }

    /// Closes the connection: what was sent leaves first, then a websocket close. The handler's `closed` is told `reason`.
    /// Does nothing on a connection that is closing already.
    package func close(reason: DisconnectReason = .requested) {
        if eventLoop.inEventLoop {
            handler.value.close(reason: reason)
        } else {
            eventLoop.execute { self.handler.value.close(reason: reason) }
        }
    }

    /// Stops or resumes reading from the socket. Stanzas already read are still delivered: at most a receive buffer, and
    /// with TLS a record.
    package func setReading(_ isReading: Bool) {
        if eventLoop.inEventLoop {
            handler.value.setReading(isReading)
        } else {
            eventLoop.execute { self.handler.value.setReading(isReading) }
        }
    }

    /// Bytes sent that the socket has not taken yet. On the loop only.
    package var outgoingBytes: Int { handler.value.outgoingBytes }

    /// Whether sends need not be held back. On the loop only.
    package var isWritable: Bool { handler.value.isWritable }
}

extension NoiseConnection {
    /// Connects, upgrades to websocket and runs the Noise handshake.
    ///
    /// - Parameters:
    ///   - eventLoop: where the connection lives and its callbacks run.
    ///   - staticKey: the device's Noise key pair.
    ///   - payload: the serialized ClientPayload; sent only to a server whose certificate holds.
    ///   - routingInfo: bytes of the last `<edge_routing>`, if any.
    ///   - handler: held until the connection is closed.
    /// - Returns: fails with ``ConnectFailure``.
    package static func connect(
        _ configuration: ConnectionConfiguration, on eventLoop: any EventLoop, staticKey: KeyPair, payload: Bytes,
        routingInfo: Bytes? = nil, handler: any ConnectionHandler
    ) -> EventLoopFuture<NoiseConnection> {
        eventLoop.flatSubmit {
            guard let url = WebSocketURL(configuration.url) else {
                return eventLoop.makeFailedFuture(ConnectFailure.invalidURL(configuration.url))
            }
            let attempt = ConnectionAttempt(
                configuration: configuration, url: url, eventLoop: eventLoop,
                handshake: NoiseClientHandshake(
                    staticKey: staticKey, ephemeral: .generate(random: configuration.random), trust: configuration.trust
                ),
                payload: payload, routingInfo: routingInfo, handler: handler)
            return attempt.run()
        }
    }
}
