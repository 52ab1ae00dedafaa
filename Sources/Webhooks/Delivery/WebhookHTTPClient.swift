import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Posts to customers' endpoints and to nowhere else: it connects to addresses the egress guard has checked, follows
/// no redirect, uses no proxy of the environment, and reads a bounded part of the answer.
package final class WebhookHTTPClient: Sendable {
    private let group: any EventLoopGroup
    private let egress: EgressGuard
    private let resolver: any HostResolver
    private let tls: NIOSSLContext
    private let idle = NIOLockedValueBox<[Key: [Idle]]>([:])

    private struct Key: Hashable {
        let host: String
        let port: Int
        let isSecure: Bool
    }

    private struct Idle {
        let channel: any Channel
        let address: IPAddress
        var since = NIODeadline.now()
    }

    private static let idlePerHost = 64
    /// A kept connection is closed after so long without a request.
    private static let idleTime = TimeAmount.seconds(60)

    /// - Parameter roots: extra certificate authorities, PEM bytes; for tests and private receivers.
    package init(
        group: any EventLoopGroup, egress: EgressGuard, resolver: any HostResolver = SystemHostResolver(),
        roots: [NIOSSLCertificate] = []
    ) throws {
        self.group = group
        self.egress = egress
        self.resolver = resolver
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = ["http/1.1"]
        if !roots.isEmpty { configuration.additionalTrustRoots = [.certificates(roots)] }
        tls = try NIOSSLContext(configuration: configuration)
    }

    /// Sends one POST. `headers` go out as given, after `Host` and `Content-Length`.
    /// - Throws: `EgressGuard.Refusal` without a connection being made, or `WebhookTransportError`.
    package func post(
        _ url: String, headers: [(String, String)], body: [UInt8], timeout: TimeAmount
    ) async throws -> WebhookResponse {
        let target = try egress.target(of: url)
        let deadline = NIODeadline.now() + timeout
        let addresses = try egress.check(target, resolved: try await resolve(target.host, deadline))
        if let connection = takeIdle(target, among: addresses) {
            do {
                return try await exchange(connection, target, headers, body, deadline)
            } catch WebhookTransportError.closedEarly {
                // The endpoint dropped a kept connection; the request goes out once more on a fresh one.
            }
        }
        let connection = try await connect(target, addresses, deadline)
        return try await exchange(connection, target, headers, body, deadline)
    }

    /// Closes connections that were kept for nothing.
    package func closeIdle() {
        let closing = idle.withLockedValue { pool -> [Idle] in
            let now = NIODeadline.now()
            var closing: [Idle] = []
            for (key, kept) in pool {
                let old = kept.filter { now - $0.since >= Self.idleTime || !$0.channel.isActive }
                if old.isEmpty { continue }
                closing += old
                let left = kept.filter { now - $0.since < Self.idleTime && $0.channel.isActive }
                pool[key] = left.isEmpty ? nil : left
            }
            return closing
        }
        for connection in closing { connection.channel.close(promise: nil) }
    }

    /// Closes the kept connections.
    package func shutdown() async {
        let all = idle.withLockedValue { pool in
            defer { pool = [:] }
            return pool.values.flatMap { $0 }
        }
        for connection in all { try? await connection.channel.close().get() }
    }

    /// The name's addresses; a resolver that hangs costs the request its time, and no more.
    private func resolve(_ host: String, _ deadline: NIODeadline) async throws -> [IPAddress] {
        if let literal = IPAddress(literal: host) { return [literal] }
        let promise = group.any().makePromise(of: [IPAddress].self)
        let alarm = promise.futureResult.eventLoop.scheduleTask(deadline: deadline) {
            promise.fail(WebhookTransportError.timeout)
        }
        let resolver = self.resolver
        Task { promise.succeed(await resolver.addresses(of: host)) }
        defer { alarm.cancel() }
        return try await promise.futureResult.get()
    }

    private func takeIdle(_ target: EgressGuard.Target, among addresses: [IPAddress]) -> Idle? {
        idle.withLockedValue { pool in
            let key = Key(host: target.host, port: target.port, isSecure: target.isSecure)
            while let candidate = pool[key]?.popLast() {
                let isFresh = NIODeadline.now() - candidate.since < Self.idleTime
                if isFresh, candidate.channel.isActive, addresses.contains(candidate.address) { return candidate }
                candidate.channel.close(promise: nil)
            }
            return nil
        }
    }

    private func keep(_ connection: Idle, _ target: EgressGuard.Target) {
        let kept = idle.withLockedValue { pool -> Bool in
            let key = Key(host: target.host, port: target.port, isSecure: target.isSecure)
            guard pool[key, default: []].count < Self.idlePerHost else { return false }
            pool[key, default: []].append(Idle(channel: connection.channel, address: connection.address))
            return true
        }
        if !kept { connection.channel.close(promise: nil) }
    }

    private func connect(
        _ target: EgressGuard.Target, _ addresses: [IPAddress], _ deadline: NIODeadline
    ) async throws -> Idle {
        var failure = WebhookTransportError.timeout
        for address in addresses {
            let left = deadline - .now()
            guard left > .zero else { throw WebhookTransportError.timeout }
            do {
                let channel = try await bootstrap(target, timeout: left).connect(
                    to: SocketAddress(ipAddress: address.description, port: target.port)
                ).get()
                return Idle(channel: channel, address: address)
            } catch {
                failure = .connect(Self.reason(error))
            }
        }
        throw failure
    }

    private func bootstrap(_ target: EgressGuard.Target, timeout: TimeAmount) -> ClientBootstrap {
        ClientBootstrap(group: group)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [tls] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if target.isSecure {
                        let name = IPAddress(literal: target.host) == nil ? target.host : nil
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    let limit = ResponseLimit()
                    try pipeline.addHandler(limit)
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(WebhookExchange(limit))
                }
            }
    }

    private func exchange(
        _ connection: Idle, _ target: EgressGuard.Target, _ headers: [(String, String)], _ body: [UInt8],
        _ deadline: NIODeadline
    ) async throws -> WebhookResponse {
        let channel = connection.channel
        let (response, isReusable) = try await channel.eventLoop.flatSubmit {
            Self.exchange(on: channel, target, headers, body, deadline)
        }.get()
        if isReusable, channel.isActive { keep(connection, target) } else { channel.close(promise: nil) }
        return response
    }

    /// Runs on the channel's event loop.
    private static func exchange(
        on channel: any Channel, _ target: EgressGuard.Target, _ headers: [(String, String)], _ body: [UInt8],
        _ deadline: NIODeadline
    ) -> EventLoopFuture<(WebhookResponse, Bool)> {
        let handler: WebhookExchange
        do {
            handler = try channel.pipeline.syncOperations.handler(type: WebhookExchange.self)
        } catch {
            return channel.eventLoop.makeFailedFuture(WebhookTransportError.closedEarly)
        }
        let promise = channel.eventLoop.makePromise(of: WebhookResponse.self)
        handler.begin(promise)
        let alarm = channel.eventLoop.scheduleTask(deadline: deadline) {
            promise.fail(WebhookTransportError.timeout)
            channel.close(promise: nil)
        }
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: target.pathAndQuery)
        let standardPort = target.port == (target.isSecure ? 443 : 80)
        let host = target.host.contains(":") ? "[\(target.host)]" : target.host
        head.headers.add(name: "Host", value: standardPort ? host : "\(host):\(target.port)")
        head.headers.add(name: "Content-Length", value: String(body.count))
        for (name, value) in headers { head.headers.add(name: name, value: value) }
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil)).whenFailure { _ in
            promise.fail(WebhookTransportError.closedEarly)
        }
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        return promise.futureResult.map { response in
            alarm.cancel()
            return (response, bound.value.isReusable)
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { "\($0.error)" } ?? "no address answered"
        case is ChannelError: "no answer in time"
        default: String("\(error)".prefix(200))
        }
    }
}
