import Cryptography
import NIOCore
import NIOPosix
import Transport

extension Benchmark {
    /// TCP, websocket upgrade, Noise handshake with certificate check, one stanza back, close; client and server on one
    /// event loop, a few connections at a time.
    static let connectAndHandshake = Benchmark("connect and handshake, both ends on one loop") {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let responder = try HandshakeResponder()
        let listener = try ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HandshakeServerHandler(responder))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        let configuration = ConnectionConfiguration(
            url: "ws://127.0.0.1:\(listener.localAddress?.port ?? 0)/ws/chat", trust: responder.trust)
        let device = KeyPair.generate()
        return { count in
            {
                let done = loop.makePromise(of: Void.self)
                let run = ConnectionRun(
                    count: count, configuration: configuration, device: device, loop: loop, done: done)
                loop.execute { run.start() }
                try done.futureResult.wait()
            }
        }
    }
}

/// Opens and closes `count` connections, eight at a time. All state on the loop.
private final class ConnectionRun: ConnectionHandler, @unchecked Sendable {
    // Unchecked: every access is on `loop`, where the handler's methods are called too.
    private var remaining: Int
    private var open = 0
    private let configuration: ConnectionConfiguration
    private let device: KeyPair
    private let loop: any EventLoop
    private let done: EventLoopPromise<Void>

    init(
        count: Int, configuration: ConnectionConfiguration, device: KeyPair, loop: any EventLoop,
        done: EventLoopPromise<Void>
    ) {
        remaining = count
        self.configuration = configuration
        self.device = device
        self.loop = loop
        self.done = done
    }

    func start() {
        while remaining > 0, open < 8 {
            remaining -= 1
            open += 1
            NoiseConnection.connect(
                configuration, on: loop, staticKey: device, payload: Bytes(repeating: 1, count: 150),
                handler: Attempt(self)
            ).whenFailure { error in
                self.remaining = 0
                self.open = -1_000_000
                self.done.fail(error)
            }
        }
    }

    func received(_ stanza: Stanza) {}

    func closed(reason: DisconnectReason) {
        open -= 1
        if remaining == 0, open == 0 { done.succeed() } else { start() }
    }

    /// One connection's handler, which closes at the first stanza.
    private final class Attempt: ConnectionHandler, @unchecked Sendable {
        // Unchecked for the same reason.
        private let run: ConnectionRun
        private var connection: NoiseConnection?

        init(_ run: ConnectionRun) { self.run = run }
        func connected(_ connection: NoiseConnection) { self.connection = connection }
        func received(_ stanza: Stanza) { connection?.close() }
        func closed(reason: DisconnectReason) {
            connection = nil
            run.closed(reason: reason)
        }
    }
}

/// The server's keys and certificate.
final class HandshakeResponder: Sendable {
    let trust: NoiseTrust
    private let staticKey = KeyPair.generate()
    private let chain: Bytes

    init() throws {
        let root = KeyPair.generate()
        trust = NoiseTrust(rootPublicKey: root.publicKey.raw)
        chain = CertificateChain.issue(
            root: root.privateKey, intermediate: .generate(), leaf: staticKey.publicKey,
            validity: 1_600_000_000...4_000_000_000)
    }

    func makeHandshake() -> NoiseServerHandshake {
        NoiseServerHandshake(staticKey: staticKey, ephemeral: .generate(), certificateChain: chain)
    }

    /// A whole handshake in memory.
    func handshake(with device: KeyPair) throws {
        var client = NoiseClientHandshake(staticKey: device, ephemeral: .generate(), trust: trust)
        var server = makeHandshake()
        let hello = try server.receive(clientHello: client.clientHello())
        let finish = try client.receive(serverHello: hello, payload: [1, 2, 3], now: 1_700_000_000)
        keep(try server.receive(clientFinish: finish))
    }
}

/// As much of a websocket server as the measurement needs: every read holds whole frames.
private final class HandshakeServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var handshake: NoiseServerHandshake
    private var stream = ClientStreamDecoder()
    private var isUpgraded = false
    private var helloSeen = false
    private var received = ByteBuffer()

    init(_ responder: HandshakeResponder) { handshake = responder.makeHandshake() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        do {
            guard isUpgraded else { return try upgrade(context: context) }
            while let (opcode, payload) = readFrame() {
                guard opcode == 2 else { return context.close(promise: nil) }
                var frames: [Bytes] = []
                try stream.decode(payload) { frames.append(Array($0.readableBytesView)) }
                for frame in frames { try receive(frame, context: context) }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    private func upgrade(context: ChannelHandlerContext) throws {
        let request = String(buffer: received)
        guard request.hasSuffix("\r\n\r\n"),
            let line = request.split(separator: "\r\n").first(where: { $0.hasPrefix("Sec-WebSocket-Key: ") }),
            let nonce = Base64.decode(String(line.dropFirst(19)))
        else { return }
        isUpgraded = true
        received.clear()
        let answer =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(WebSocketUpgrade(nonce: nonce).accept)\r\n\r\n"
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }

    private func receive(_ frame: Bytes, context: ChannelHandlerContext) throws {
        var answer = ByteBuffer()
        if helloSeen {
            keep(try handshake.receive(clientFinish: frame))
            var transport = try NoiseTransport(handshake.transportKeys())
            try FrameEncoder.encode(Stanza("success", ["t": "1700000000"]), with: &transport.sending, into: &answer)
        } else {
            helloSeen = true
            try FrameEncoder.encode(try handshake.receive(clientHello: frame), into: &answer)
        }
        var message = ByteBuffer(bytes: [0x82])
        if answer.readableBytes < 126 {
            message.writeInteger(UInt8(answer.readableBytes))
        } else {
            message.writeInteger(126 as UInt8)
            message.writeInteger(UInt16(answer.readableBytes))
        }
        message.writeBuffer(&answer)
        context.writeAndFlush(wrapOutboundOut(message), promise: nil)
    }

    /// The next masked frame, unmasked.
    private func readFrame() -> (opcode: UInt8, payload: ByteBuffer)? {
        let index = received.readerIndex
        guard let head = received.getBytes(at: index, length: 2) else { return nil }
        var length = Int(head[1] & 0x7F)
        var offset = 2
        if length == 126 {
            guard let wide = received.getInteger(at: index + 2, as: UInt16.self) else { return nil }
            (length, offset) = (Int(wide), 4)
        }
        guard let mask = received.getBytes(at: index + offset, length: 4),
            var payload = received.getBytes(at: index + offset + 4, length: length)
        else { return nil }
        received.moveReaderIndex(forwardBy: offset + 4 + length)
        for position in payload.indices { payload[position] ^= mask[position & 3] }
        return (head[0] & 0x0F, ByteBuffer(bytes: payload))
    }
}
