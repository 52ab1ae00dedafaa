import Cryptography
import NIOCore
import Transport

/// Opens sessions' connections over Noise sockets to the chat server.
package struct NoiseSessionConnector: SessionConnector {
    /// Says at which addresses a device's own proxy may be dialed. Throws when it may not be, or has none.
    package typealias ProxyAddresses = @Sendable (_ host: String, _ port: Int) async throws -> [String]

    private let configuration: ConnectionConfiguration
    private let proxyAddresses: ProxyAddresses?

    /// - Parameters:
    ///   - configuration: what all devices share; its proxy is used by devices that have none of their own.
    ///   - proxyAddresses: asked at each attempt through a device's own proxy (11-webhooks, section 7); nil dials any.
    package init(configuration: ConnectionConfiguration, proxyAddresses: ProxyAddresses? = nil) {
        self.configuration = configuration
        self.proxyAddresses = proxyAddresses
    }

    package func connect(
        _ request: ConnectRequest, on eventLoop: any EventLoop, handler: any SessionConnectionHandler
    ) -> EventLoopFuture<any SessionConnection> {
        guard let text = request.proxyURL else { return dial(configuration, request, on: eventLoop, handler) }
        var configuration = configuration
        let proxy: ProxyConfiguration
        do { proxy = try ProxyConfiguration(url: text) } catch {
            return eventLoop.makeFailedFuture(ConnectFailure.proxy("\(error)"))
        }
        configuration.proxy = proxy
        guard let proxyAddresses else { return dial(configuration, request, on: eventLoop, handler) }
        let through = configuration
        return eventLoop.makeFutureWithTask {
            do { return try await proxyAddresses(proxy.host, proxy.port) } catch {
                throw ConnectFailure.proxy("\(error)")
            }
        }.flatMap { addresses in
            var configuration = through
            configuration.proxy?.addresses = addresses
            return dial(configuration, request, on: eventLoop, handler)
        }
    }

    private func dial(
        _ configuration: ConnectionConfiguration, _ request: ConnectRequest, on eventLoop: any EventLoop,
        _ handler: any SessionConnectionHandler
    ) -> EventLoopFuture<any SessionConnection> {
        NoiseConnection.connect(
            configuration, on: eventLoop, staticKey: request.staticKey, payload: request.payload,
            routingInfo: request.routingInfo, handler: Relay(handler)
        ).map { NoiseSessionConnection($0) }
    }

    /// Hands what a Noise connection brings to the session.
    private final class Relay: ConnectionHandler {
        private let session: any SessionConnectionHandler

        init(_ session: any SessionConnectionHandler) {
            self.session = session
        }

        var isWanted: Bool { session.isWanted }
        func received(_ stanza: Stanza) { session.received(stanza) }
        func writabilityChanged(_ isWritable: Bool) { session.writabilityChanged() }
        func closed(reason: DisconnectReason) { session.closed(reason.text) }
    }
}

/// A Noise socket as a session sees it.
private final class NoiseSessionConnection: SessionConnection {
    private let connection: NoiseConnection

    init(_ connection: NoiseConnection) {
        self.connection = connection
    }

    func send(_ stanza: Stanza) -> EventLoopFuture<Void> { connection.send(stanza) }
    func close() { connection.close() }
    var isWritable: Bool { connection.isWritable }
    func setReading(_ isOn: Bool) { connection.setReading(isOn) }
}

extension DisconnectReason {
    /// What the status of a device says of a lost connection.
    var text: String {
        switch self {
        case .requested: "closed by us"
        case .failure: "login refused"
        case .streamError: "stream error"
        case .streamEnded: "stream ended by the server"
        case .closedByPeer(let code): code.map { "socket closed by the server (\($0))" } ?? "socket closed"
        case .connectFailed(let failure): failure.text
        case .network(let text): "network error: \(text)"
        case .undecryptableFrame: "a frame could not be decrypted"
        case .protocolViolation(let text): "protocol violation: \(text)"
        case .malformedStanzas: "malformed stanzas"
        case .silent: "no answer to pings"
        case .outgoingOverflow: "the server does not take what is sent"
        case .counterExhausted: "frame counter used up"
        }
    }
}

extension ConnectFailure {
    var text: String {
        switch self {
        case .invalidURL: "the server's URL is not valid"
        case .proxy(let text): "proxy: \(text)"
        case .dial(let text): "cannot connect: \(text)"
        case .tls(let text): "TLS: \(text)"
        case .refused(let status): "the server answered the upgrade with HTTP \(status)"
        case .upgrade(let text): "no websocket: \(text)"
        case .timedOut: "connecting timed out"
        case .handshake(let error): "handshake refused: \(error)"
        case .unwanted: "given up before the login"
        case .closed: "closed before the handshake was done"
        }
    }
}
