import Cryptography
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Transport

/// A chat server for tests: NIO's own websocket implementation, so that ours is checked against another, and the Noise
/// responder. What happens after the handshake is up to the test's script.
final class FakeChatServer: Sendable {
    struct Behaviour: Sendable {
        /// HTTP status to refuse the upgrade with.
        var refusal: HTTPResponseStatus?
        /// Whether to answer the handshake at all.
        var answersHandshake = true
        /// Validity of the certificates, Unix seconds.
        var validity: ClosedRange<UInt64> = 1_600_000_000...4_000_000_000
        /// Whether to speak TLS with the test certificate.
        var isSecure = false
    }

    enum Event: Sendable {
        /// A handshake was completed.
        case ready(
            FakeChatSession, payload: Bytes, clientStatic: Bytes, routingInfo: Bytes?, path: String,
            headers: [String: String])
        case stanza(Stanza)
        case pong(Bytes)
        case close(UInt16?)
        case inactive
        case failed(String)
    }

    let port: Int
    let rootPublicKey: Bytes
    private let channel: any Channel
    /// What happened on any connection, in order.
    let events: AsyncStream<Event>

    init(group: any EventLoopGroup, behaviour: Behaviour = Behaviour()) async throws {
        let root = KeyPair.generate()
        let intermediate = KeyPair.generate()
        let leaf = KeyPair.generate()
        let chain = CertificateChain.issue(
            root: root.privateKey, intermediate: intermediate, leaf: leaf.publicKey, validity: behaviour.validity)
        rootPublicKey = root.publicKey.raw
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        let tls = behaviour.isSecure ? try TestCertificate.serverContext() : nil
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: true)
            .childChannelInitializer { channel in
                let upgrader = NIOWebSocketServerUpgrader(
                    maxFrameSize: 1 << 24,
                    shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
                    upgradePipelineHandler: { channel, head in
                        channel.eventLoop.makeCompletedFuture {
                            let handshake = NoiseServerHandshake(
                                staticKey: leaf, ephemeral: .generate(), certificateChain: chain)
                            try channel.pipeline.syncOperations.addHandler(
                                FakeChatHandler(handshake, head: head, behaviour: behaviour, events: continuation))
                        }
                    })
                let refuser = UpgradeRefuser(status: behaviour.refusal)
                return channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    guard behaviour.refusal == nil else {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                        return try channel.pipeline.syncOperations.addHandler(refuser)
                    }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withServerUpgrade: ([upgrader], { _ in }))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func stop() async throws { try await channel.close() }

    /// A configuration that leads here.
    func configuration(scheme: String = "ws") -> ConnectionConfiguration {
        ConnectionConfiguration(
            url: "\(scheme)://127.0.0.1:\(port)/ws/chat", trust: NoiseTrust(rootPublicKey: rootPublicKey))
    }
}

/// One client's connection as the script sees it; any thread.
struct FakeChatSession: Sendable {
    let channel: any Channel
    private let handler: NIOLoopBound<FakeChatHandler>

    init(channel: any Channel, handler: FakeChatHandler) {
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
    }

    /// Sends stanzas, a frame each, all frames in one websocket message.
    func send(_ stanzas: Stanza...) {
        channel.eventLoop.execute { send(binary: handler.value.seal(stanzas)) }
    }

    /// Sends the plaintext of a frame, sealed.
    func send(plaintext: Bytes) {
        channel.eventLoop.execute { send(binary: handler.value.seal(plaintext: plaintext)) }
    }

    /// Sends stanzas as bytes that `cut` makes websocket frames of.
    func send(_ stanzas: [Stanza], cut: @escaping @Sendable (Bytes) -> [WebSocketFrame]) {
        channel.eventLoop.execute {
            for frame in cut(handler.value.seal(stanzas)) { channel.writeAndFlush(frame, promise: nil) }
        }
    }

    /// Sends bytes as one binary message, unsealed.
    func send(binary: Bytes) {
        send(frame: WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: binary)))
    }

    func send(frame: WebSocketFrame) { channel.writeAndFlush(frame, promise: nil) }

    func close() { channel.close(promise: nil) }
}

final class FakeChatHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private var handshake: NoiseServerHandshake
    private let head: HTTPRequestHead
    private let behaviour: FakeChatServer.Behaviour
    private let events: AsyncStream<FakeChatServer.Event>.Continuation
    private var stream = ClientStreamDecoder()
    private var transport: NoiseTransport?
    private var helloSeen = false

    init(
        _ handshake: NoiseServerHandshake, head: HTTPRequestHead, behaviour: FakeChatServer.Behaviour,
        events: AsyncStream<FakeChatServer.Event>.Continuation
    ) {
        self.handshake = handshake
        self.head = head
        self.behaviour = behaviour
        self.events = events
    }

    func seal(_ stanzas: [Stanza]) -> Bytes {
        stanzas.flatMap { stanza in
            guard let plaintext = try? StanzaCodec.encodeFrame(stanza) else { return Bytes() }
            return seal(plaintext: plaintext)
        }
    }

    func seal(plaintext: Bytes) -> Bytes {
        var buffer = ByteBuffer()
        guard transport != nil else { return [] }
        try? FrameEncoder.encode(plaintext: plaintext, with: &transport!.sending, into: &buffer)
        return Array(buffer.readableBytesView)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary, .continuation:
            do {
                var frames: [Bytes] = []
                try stream.decode(frame.unmaskedData) { frames.append(Array($0.readableBytesView)) }
                for frame in frames { try receive(frame, context: context) }
            } catch {
                events.yield(.failed("\(error)"))
                context.close(promise: nil)
            }
        case .connectionClose:
            var data = frame.unmaskedData
            events.yield(.close(data.readInteger(as: UInt16.self)))
            let answer = WebSocketFrame(fin: true, opcode: .connectionClose, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
            context.close(promise: nil)
        case .pong:
            events.yield(.pong(Array(frame.unmaskedData.readableBytesView)))
        default:
            events.yield(.failed("opcode \(frame.opcode)"))
        }
    }

    private func receive(_ frame: Bytes, context: ChannelHandlerContext) throws {
        guard behaviour.answersHandshake else { return }
        if !helloSeen {
            helloSeen = true
            var answer = ByteBuffer()
            try FrameEncoder.encode(try handshake.receive(clientHello: frame), into: &answer)
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .binary, data: answer)), promise: nil)
        } else if transport == nil {
            let (clientStatic, payload) = try handshake.receive(clientFinish: frame)
            transport = try NoiseTransport(handshake.transportKeys())
            events.yield(
                .ready(
                    FakeChatSession(channel: context.channel, handler: self), payload: payload,
                    clientStatic: clientStatic.raw, routingInfo: stream.routingInfo, path: head.uri,
                    headers: Dictionary(
                        head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first }))
            )
        } else {
            events.yield(.stanza(try StanzaCodec.decode(frame: transport!.receiving.open(frame))))
        }
    }

    func channelInactive(context: ChannelHandlerContext) { events.yield(.inactive) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Answers any request with a status.
private final class UpgradeRefuser: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let status: HTTPResponseStatus?

    init(status: HTTPResponseStatus?) { self.status = status }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data), let status else { return }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: ["content-length": "0"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
