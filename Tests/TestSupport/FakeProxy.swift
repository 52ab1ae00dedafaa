import Cryptography
import NIOCore
import NIOPosix
import Synchronization

/// A proxy for tests: a byte tunnel behind a CONNECT or SOCKS 5 dialogue written down by hand.
package final class FakeProxy: Sendable {
    package enum Kind: Sendable {
        case http(credentials: (String, String)?)
        case socks(credentials: (String, String)?)
    }

    package let port: Int
    private let channel: any Channel
    private let seen: Mutexed

    final class Mutexed: Sendable {
        let targets = Mutex<[String]>([])
    }

    /// The targets asked for.
    package var targets: [String] { seen.targets.withLock { $0 } }

    package init(group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, kind: Kind) async throws {
        let seen = Mutexed()
        self.seen = seen
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FakeProxyHandler(kind: kind, seen: seen))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    package func stop() async throws { try await channel.close() }
}

private final class FakeProxyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State { case greeting, credentials, request, dialing, tunnel }

    private let kind: FakeProxy.Kind
    private let seen: FakeProxy.Mutexed
    private var state = State.greeting
    private var received = ByteBuffer()
    private var other: (any Channel)?

    init(kind: FakeProxy.Kind, seen: FakeProxy.Mutexed) {
        self.kind = kind
        self.seen = seen
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        if case .tunnel = state {
            other?.writeAndFlush(piece, promise: nil)
            return
        }
        received.writeBuffer(&piece)
        switch kind {
        case .http(let credentials): http(credentials, context: context)
        case .socks(let credentials): socks(credentials, context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { other?.close(promise: nil) }

    private func http(_ credentials: (String, String)?, context: ChannelHandlerContext) {
        let text = String(buffer: received)
        guard text.hasSuffix("\r\n\r\n") else { return }
        let target = text.split(separator: " ")[1]
        if let (user, password) = credentials {
            let expected = "Proxy-Authorization: Basic \(Base64.encode(Array("\(user):\(password)".utf8)))\r\n"
            guard text.contains(expected) else {
                write("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", context: context)
                return
            }
        }
        dial(String(target), context: context) {
            self.write("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n", context: context)
        }
    }

    private func socks(_ credentials: (String, String)?, context: ChannelHandlerContext) {
        switch state {
        case .greeting:
            guard let head = received.readBytes(length: 2), let methods = received.readBytes(length: Int(head[1]))
            else { return }
            let wanted: UInt8 = credentials == nil ? 0 : 2
            guard methods.contains(wanted) else { return write([5, 0xFF], context: context) }
            state = credentials == nil ? .request : .credentials
            write([5, wanted], context: context)
        case .credentials:
            let text = Array(received.readableBytesView)
            received.clear()
            guard let (user, password) = credentials else { return }
            let expected =
                [1, UInt8(user.utf8.count)] + Array(user.utf8) + [UInt8(password.utf8.count)] + Array(password.utf8)
            state = .request
            write([1, text == expected ? 0 : 1], context: context)
        case .request:
            let bytes = Array(received.readableBytesView)
            received.clear()
            let port = Int(bytes[bytes.count - 2]) << 8 | Int(bytes[bytes.count - 1])
            let host =
                bytes[3] == 1
                ? bytes[4..<8].map(String.init).joined(separator: ".")
                : String(decoding: bytes[5..<5 + Int(bytes[4])], as: UTF8.self)
            dial("\(host):\(port)", context: context) {
                self.write([5, 0, 0, 1, 0, 0, 0, 0, 0, 0], context: context)
            }
        case .dialing, .tunnel:
            break
        }
    }

    private func dial(_ target: String, context: ChannelHandlerContext, then: @escaping () -> Void) {
        state = .dialing
        seen.targets.withLock { $0.append(target) }
        let parts = target.split(separator: ":")
        let near = context.channel
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Relay(to: near))
                }
            }
            .connect(host: String(parts[0]), port: Int(parts[1]) ?? 0)
            .assumeIsolated()
            .whenSuccess { channel in
                self.other = channel
                self.state = .tunnel
                then()
            }
    }

    private func write(_ text: String, context: ChannelHandlerContext) { write(Array(text.utf8), context: context) }

    private func write(_ bytes: [UInt8], context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    private final class Relay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let target: any Channel
        init(to target: any Channel) { self.target = target }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            target.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { target.close(promise: nil) }
    }
}
