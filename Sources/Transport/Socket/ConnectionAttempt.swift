import Cryptography
import NIOCore
import NIOPosix
import NIOSSL

/// One attempt to connect: TCP, proxy, TLS, then ``NoiseConnectionHandler`` for the rest. Lives on its event loop.
final class ConnectionAttempt {
    private let configuration: ConnectionConfiguration
    private let url: WebSocketURL
    private let eventLoop: any EventLoop
    private let handshake: NoiseClientHandshake
    private let payload: Bytes
    private let routingInfo: Bytes?
    private let handler: any ConnectionHandler
    private let result: EventLoopPromise<NoiseConnection>
    private var channel: (any Channel)?

    init(
        configuration: ConnectionConfiguration, url: WebSocketURL, eventLoop: any EventLoop,
        handshake: NoiseClientHandshake, payload: Bytes, routingInfo: Bytes?, handler: any ConnectionHandler
    ) {
        self.configuration = configuration
        self.url = url
        self.eventLoop = eventLoop
        self.handshake = handshake
        self.payload = payload
        self.routingInfo = routingInfo
        self.handler = handler
        result = eventLoop.makePromise()
    }

    /// Call once, on the loop.
    func run() -> EventLoopFuture<NoiseConnection> {
        let attempt = NIOLoopBound(self, eventLoop: eventLoop)
        let timeout = eventLoop.scheduleTask(in: configuration.connectTimeout) { attempt.value.timedOut() }
        dial().assumeIsolated().flatMap { channel in
            self.channel = channel
            return self.tunnel(channel).assumeIsolated().flatMapThrowing { try self.start(on: channel) }.nonisolated()
        }.whenComplete { outcome in
            switch outcome {
            case .success(let upgraded):
                upgraded.assumeIsolated().whenComplete { _ in timeout.cancel() }
            case .failure(let error):
                timeout.cancel()
                self.fail(error as? ConnectFailure ?? .dial("\(error)"))
            }
        }
        return result.futureResult
    }

    private func dial() -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Small receive buffers, few of them: what a channel has once allocated it keeps (16, section 3.4).
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: 4096)
            )
            .channelOption(.maxMessagesPerRead, value: 2)
        let host = configuration.proxy?.host ?? url.host
        let port = configuration.proxy?.port ?? url.port
        let known = (configuration.proxy?.addresses ?? []).compactMap { try? SocketAddress(ipAddress: $0, port: port) }
        let connected =
            if !known.isEmpty {
                bootstrap.resolver(KnownAddresses(known, eventLoop: eventLoop)).connect(host: host, port: port)
            } else if let address = try? SocketAddress(ipAddress: host, port: port) {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: host, port: port)
            }
        return connected.flatMapErrorThrowing { throw ConnectFailure.dial("\($0)") }
    }

    /// Opens the way through the proxy, if there is one.
    private func tunnel(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let proxy = configuration.proxy else { return eventLoop.makeSucceededVoidFuture() }
        let opened = eventLoop.makePromise(of: Void.self)
        do {
            let pipeline = channel.pipeline.syncOperations
            if proxy.scheme == .https { try pipeline.addHandler(tlsHandler(host: proxy.host)) }
            let negotiation = ProxyNegotiation(proxy: proxy, host: url.host, port: url.port)
            try pipeline.addHandler(ProxyHandler(negotiation, promise: opened))
        } catch {
            opened.fail(error)
        }
        return opened.futureResult
    }

    /// Hands the channel to the handler that does the rest. The future tells when the upgrade is through.
    private func start(on channel: any Channel) throws -> EventLoopFuture<Void> {
        let pipeline = channel.pipeline.syncOperations
        if url.isSecure { try pipeline.addHandler(tlsHandler(host: url.host)) }
        let upgraded = eventLoop.makePromise(of: Void.self)
        let setup = ConnectionSetup(
            url: url, handshake: handshake, payload: payload, routingInfo: routingInfo, upgraded: upgraded,
            connected: result)
        let connection = NoiseConnectionHandler(
            configuration: configuration, setup: setup, handler: handler,
            largestWrite: url.isSecure || configuration.proxy?.scheme == .https ? 8 << 10 : 64 << 10)
        do { try pipeline.addHandler(connection) } catch {
            upgraded.fail(error)
            throw error
        }
        return upgraded.futureResult
    }

    private func tlsHandler(host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        do {
            return try NIOSSLClientHandler(
                context: configuration.resolvedTLSContext(), serverHostname: isAddress ? nil : host)
        } catch {
            throw ConnectFailure.tls("\(error)")
        }
    }

    private func timedOut() { fail(.timedOut) }

    /// A promise that is completed already ignores this; the handler's own failures arrive first.
    private func fail(_ failure: ConnectFailure) {
        result.fail(failure)
        channel?.close(promise: nil)
    }
}

/// Says what a name was found to mean, so that these addresses and no others are tried, one after the other.
private struct KnownAddresses: Resolver, Sendable {
    private let addresses: [SocketAddress]
    private let eventLoop: any EventLoop

    init(_ addresses: [SocketAddress], eventLoop: any EventLoop) {
        self.addresses = addresses
        self.eventLoop = eventLoop
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeSucceededFuture(addresses.filter { $0.protocol == .inet })
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeSucceededFuture(addresses.filter { $0.protocol == .inet6 })
    }

    func cancelQueries() {}
}

/// What ``NoiseConnectionHandler`` needs on the way to the open connection.
struct ConnectionSetup {
    var url: WebSocketURL
    var handshake: NoiseClientHandshake
    /// The serialized ClientPayload.
    var payload: Bytes
    var routingInfo: Bytes?
    /// Completed when the websocket is open, or failed.
    var upgraded: EventLoopPromise<Void>
    /// Completed with the connection, or failed with ``ConnectFailure``.
    var connected: EventLoopPromise<NoiseConnection>
}
