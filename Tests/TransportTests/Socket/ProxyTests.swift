import Cryptography
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import Testing
import Transport

@Suite("Proxies and TLS")
struct ProxyTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    /// Connects through `proxy` to `server` and exchanges a stanza.
    private func exchange(_ server: FakeChatServer, _ configuration: ConnectionConfiguration) async throws {
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let connection = try await NoiseConnection.connect(
            configuration, on: group.next(), staticKey: .generate(), payload: [1], handler: handler
        ).get()
        guard case .ready(let session, _, _, _, _, _) = await events.next() else {
            Issue.record("no handshake")
            return
        }
        try await connection.send(Stanza("iq", ["id": "1"])).get()
        guard case .stanza(let stanza) = await events.next() else {
            Issue.record("no stanza")
            return
        }
        #expect(stanza.id == "1")
        session.send(Stanza("iq", ["id": "2"]))
        #expect(await handler.next() == .received(Stanza("iq", ["id": "2"])))
        connection.close()
        #expect(await handler.next() == .closed(.requested))
        while let event = await events.next() {
            if case .inactive = event { break }
        }
    }

    @Test("HTTP CONNECT, with and without credentials")
    func connect() async throws {
        let server = try await FakeChatServer(group: group)
        for credentials in [nil, ("me", "secret")] as [(String, String)?] {
            let proxy = try await FakeProxy(group: group, kind: .http(credentials: credentials))
            var configuration = server.configuration()
            configuration.proxy = ProxyConfiguration(
                scheme: .http, host: "127.0.0.1", port: proxy.port, username: credentials?.0, password: credentials?.1)
            try await exchange(server, configuration)
            #expect(proxy.targets == ["127.0.0.1:\(server.port)"])
            try await proxy.stop()
        }
        try await server.stop()
    }

    @Test("SOCKS 5, by address and by name, with and without credentials")
    func socks() async throws {
        let server = try await FakeChatServer(group: group)
        for (host, credentials) in [("127.0.0.1", nil), ("localhost", ("me", "secret"))]
            as [(String, (String, String)?)]
        {
            let proxy = try await FakeProxy(group: group, kind: .socks(credentials: credentials))
            var configuration = server.configuration()
            configuration.url = "ws://\(host):\(server.port)/ws/chat"
            configuration.proxy = ProxyConfiguration(
                scheme: .socks5, host: "127.0.0.1", port: proxy.port, username: credentials?.0,
                password: credentials?.1)
            try await exchange(server, configuration)
            #expect(proxy.targets == ["\(host):\(server.port)"])
            try await proxy.stop()
        }
        try await server.stop()
    }

    @Test("TLS to the server, directly and through either kind of proxy")
    func tls() async throws {
        let server = try await FakeChatServer(group: group, behaviour: .init(isSecure: true))
        var configuration = server.configuration(scheme: "wss")
        configuration.tlsContext = try TestCertificate.clientContext()
        try await exchange(server, configuration)
        configuration.url = "wss://localhost:\(server.port)/ws/chat"
        for kind in [FakeProxy.Kind.http(credentials: nil), .socks(credentials: nil)] {
            let proxy = try await FakeProxy(group: group, kind: kind)
            let scheme: ProxyConfiguration.Scheme = if case .http = kind { .http } else { .socks5 }
            configuration.proxy = ProxyConfiguration(scheme: scheme, host: "127.0.0.1", port: proxy.port)
            try await exchange(server, configuration)
            #expect(proxy.targets == ["localhost:\(server.port)"])
            try await proxy.stop()
        }
        try await server.stop()
    }

    @Test("a server whose TLS certificate is not trusted is refused before anything is sent")
    func untrustedTLS() async throws {
        let server = try await FakeChatServer(group: group, behaviour: .init(isSecure: true))
        let error = await #expect(throws: ConnectFailure.self) {
            try await NoiseConnection.connect(
                server.configuration(scheme: "wss"), on: group.next(), staticKey: .generate(), payload: [],
                handler: RecordingHandler()
            ).get()
        }
        guard case .tls = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try await server.stop()
    }

    @Test("wrong credentials and refusals are proxy failures")
    func refusals() async throws {
        for kind in [FakeProxy.Kind.http(credentials: ("me", "secret")), .socks(credentials: ("me", "secret"))] {
            let proxy = try await FakeProxy(group: group, kind: kind)
            let scheme: ProxyConfiguration.Scheme = if case .http = kind { .http } else { .socks5 }
            for username in [nil, "other"] {
                let configuration = ConnectionConfiguration(
                    url: "ws://127.0.0.1:1/",
                    proxy: ProxyConfiguration(
                        scheme: scheme, host: "127.0.0.1", port: proxy.port, username: username, password: "secret"))
                let error = await #expect(throws: ConnectFailure.self) {
                    try await NoiseConnection.connect(
                        configuration, on: group.next(), staticKey: .generate(), payload: [],
                        handler: RecordingHandler()
                    ).get()
                }
                guard case .proxy = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
            try await proxy.stop()
        }
    }

    @Test("addresses of proxies are parsed, other schemes refused, credentials never printed")
    func parsing() throws {
        let socks = try ProxyConfiguration(url: "socks5://us%40er:p%3Aw@proxy.example:9")
        #expect(
            socks
                == ProxyConfiguration(
                    scheme: .socks5, host: "proxy.example", port: 9, username: "us@er", password: "p:w"))
        #expect("\(socks)" == "socks5://proxy.example:9")
        #expect(!String(reflecting: socks).contains("p:w"))
        #expect(try ProxyConfiguration(url: "http://h/").port == 80)
        #expect(try ProxyConfiguration(url: "https://h").port == 443)
        #expect(try ProxyConfiguration(url: "socks5h://h").port == 1080)
        for (text, error) in [
            ("ftp://x", .unsupportedScheme("ftp")), ("x:80", .unsupportedScheme("")), ("http://", .invalidAddress),
            ("http://a:b:c", .invalidAddress), ("http://%zz@h", .invalidAddress),
        ] as [(String, ProxyConfiguration.ParsingError)] {
            #expect(throws: error) { try ProxyConfiguration(url: text) }
        }
    }

    @Test("the environment names a proxy, except for the hosts it excludes")
    func environment() {
        let variables = ["https_proxy": "http://p:1", "no_proxy": "localhost, .internal,example.org"]
        #expect(ProxyConfiguration.environment(variables, host: "web.whatsapp.com")?.host == "p")
        for host in ["localhost", "a.internal", "example.org", "www.EXAMPLE.org"] {
            #expect(ProxyConfiguration.environment(variables, host: host) == nil)
        }
        #expect(ProxyConfiguration.environment(["HTTPS_PROXY": "http://q:1"], host: "x")?.host == "q")
        #expect(ProxyConfiguration.environment(["HTTPS_PROXY": "bad"], host: "x") == nil)
        #expect(ProxyConfiguration.environment([:], host: "x") == nil)
        #expect(ProxyConfiguration.environment(["https_proxy": "http://p:1", "NO_PROXY": "*"], host: "x") == nil)
    }
}

/// A proxy for tests: a byte tunnel behind a CONNECT or SOCKS 5 dialogue written down by hand.
final class FakeProxy: Sendable {
    enum Kind: Sendable {
        case http(credentials: (String, String)?)
        case socks(credentials: (String, String)?)
    }

    let port: Int
    private let channel: any Channel
    private let seen: Mutexed

    final class Mutexed: Sendable {
        let targets = Mutex<[String]>([])
    }

    /// The targets asked for.
    var targets: [String] { seen.targets.withLock { $0 } }

    init(group: any EventLoopGroup, kind: Kind) async throws {
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

    func stop() async throws { try await channel.close() }
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
