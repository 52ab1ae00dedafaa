import Cryptography
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TestSupport
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

    @Test("the addresses that were found for the proxy are dialed one after the other, not its name")
    func checkedAddress() async throws {
        let server = try await FakeChatServer(group: group)
        for kind in [FakeProxy.Kind.http(credentials: nil), .socks(credentials: nil)] {
            let proxy = try await FakeProxy(group: group, kind: kind)
            let scheme: ProxyConfiguration.Scheme = if case .http = kind { .http } else { .socks5 }
            var configuration = server.configuration()
            // Nobody resolves that name.
            configuration.proxy = ProxyConfiguration(scheme: scheme, host: "proxy.invalid", port: proxy.port)
            configuration.proxy?.addresses = ["127.0.0.2", "127.0.0.1"]
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
