import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// Stands between the gateway and what it speaks to, and makes the faults of networks: delays, silence, cut connections.
/// Speaks TLS to the gateway when it has a certificate.
final class LoadRelay: Sendable {
    /// Where the other side is.
    enum Target: Sendable {
        case port(Int)
        case socket(path: String)
    }

    private struct State {
        var channel: (any Channel)?
        var open: [ObjectIdentifier: any Channel] = [:]
        var accepted: [NIODeadline] = []
        var isCut = false
        var delay = TimeAmount.zero
        /// Bytes that wait for the end of a silence.
        var held: [@Sendable () -> Void]?
    }

    private let target: Target
    private let loop: any EventLoop
    private let state = NIOLockedValueBox(State())

    private init(_ target: Target, _ loop: any EventLoop) {
        self.target = target
        self.loop = loop
    }

    static func start(to target: Target, tls: NIOSSLContext? = nil) async throws -> LoadRelay {
        let relay = LoadRelay(target, MultiThreadedEventLoopGroup.singleton.next())
        let channel = try await ServerBootstrap(group: relay.loop)
            .serverChannelOption(.backlog, value: 4096)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { relay.accept($0, tls) }
            .bind(host: "127.0.0.1", port: 0).get()
        relay.state.withLockedValue { $0.channel = channel }
        return relay
    }

    var port: Int { state.withLockedValue { $0.channel?.localAddress?.port ?? 0 } }

    /// Times of the connections that came since the last call, those that were refused included.
    func takeAttempts() -> [NIODeadline] {
        state.withLockedValue { state in
            defer { state.accepted = [] }
            return state.accepted
        }
    }

    /// Ends every connection and each that comes, until `mend`.
    func cut() {
        let open = state.withLockedValue { state in
            state.isCut = true
            return Array(state.open.values)
        }
        for channel in open { channel.close(promise: nil) }
    }

    func mend() { state.withLockedValue { $0.isCut = false } }

    /// What comes from the target arrives later by this.
    func delay(_ delay: TimeAmount) { state.withLockedValue { $0.delay = delay } }

    /// Connections stay, and nothing comes through in either direction, until `resume`.
    func hold() { state.withLockedValue { $0.held = [] } }

    func resume() {
        loop.execute {
            let held = self.state.withLockedValue { state in
                defer { state.held = nil }
                return state.held ?? []
            }
            for write in held { write() }
        }
    }

    func stop() async {
        cut()
        try? await state.withLockedValue { $0.channel }?.close().get()
    }

    private func accept(_ client: any Channel, _ tls: NIOSSLContext?) -> EventLoopFuture<Void> {
        let isCut = state.withLockedValue { state in
            state.accepted.append(.now())
            return state.isCut
        }
        if isCut { return client.eventLoop.makeFailedFuture(ChannelError.eof) }
        let (near, far) = (LoadRelayEnd(self, isAnswer: false), LoadRelayEnd(self, isAnswer: true))
        near.partner = far
        far.partner = near
        let bound = NIOLoopBound((near, far), eventLoop: loop)
        return client.eventLoop.makeCompletedFuture {
            if let tls { try client.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
            try client.pipeline.syncOperations.addHandler(bound.value.0)
        }.flatMap {
            self.remember(client)
            let bootstrap = ClientBootstrap(group: self.loop).channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { server in
                    server.eventLoop.makeCompletedFuture {
                        try server.pipeline.syncOperations.addHandler(bound.value.1)
                    }
                }
            switch self.target {
            case .port(let port): return bootstrap.connect(host: "127.0.0.1", port: port).map { _ in }
            case .socket(let path): return bootstrap.connect(unixDomainSocketPath: path).map { _ in }
            }
        }.flatMap {
            // Takes effect when the connection is registered, after this.
            client.setOption(.autoRead, value: true)
        }
    }

    private func remember(_ client: any Channel) {
        let id = ObjectIdentifier(client)
        state.withLockedValue { $0.open[id] = client }
        client.closeFuture.whenComplete { _ in self.state.withLockedValue { $0.open[id] = nil } }
    }

    /// Lets a write through now, later, or at the end of the silence.
    fileprivate func pass(isAnswer: Bool, _ write: @escaping @Sendable () -> Void) {
        let delay = state.withLockedValue { state -> TimeAmount? in
            if state.held != nil {
                state.held?.append(write)
                return nil
            }
            return isAnswer ? state.delay : .zero
        }
        guard let delay else { return }
        if delay == .zero { write() } else { loop.scheduleTask(in: delay, write) }
    }
}

/// One end of a connection: what it reads, the other writes.
private final class LoadRelayEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var partner: LoadRelayEnd?
    private let relay: LoadRelay
    private let isAnswer: Bool
    private var context: ChannelHandlerContext?
    /// What came before this end was open.
    private var early: [ByteBuffer] = []

    init(_ relay: LoadRelay, isAnswer: Bool) {
        self.relay = relay
        self.isAnswer = isAnswer
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { opened(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        opened(context)
        context.fireChannelActive()
    }

    private func opened(_ context: ChannelHandlerContext) {
        for bytes in early { context.write(wrapOutboundOut(bytes), promise: nil) }
        early = []
        context.flush()
        if isAnswer { context.channel.setOption(.autoRead, value: true).whenComplete { _ in } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard let partner else { return }
        let bound = NIOLoopBound(partner, eventLoop: context.eventLoop)
        relay.pass(isAnswer: isAnswer) { bound.value.write(bytes) }
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context, context.channel.isActive else { return early.append(bytes) }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let partner = self.partner
        self.partner = nil
        partner?.context?.close(promise: nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
