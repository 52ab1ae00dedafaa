import Foundation
import NIOCore
import NIOPosix
import Storage
import Synchronization
import Tenancy
import TestSupport
import Testing

@testable import Webhooks

@Suite("Requests to customers' addresses")
struct EgressTests {
    /// Says of every name what it was told to say next.
    private final class PlayedResolver: HostResolver {
        private let answers: Mutex<[[IPAddress]]>
        let asked = Mutex(0)

        /// The last answer goes on.
        init(_ answers: [[String]]) {
            self.answers = Mutex(answers.map { $0.compactMap(IPAddress.init(literal:)) })
        }

        func addresses(of host: String) async -> [IPAddress] {
            asked.withLock { $0 += 1 }
            return answers.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? [] }
        }
    }

    private func client(_ resolver: any HostResolver, _ egress: EgressGuard) throws -> WebhookHTTPClient {
        try WebhookHTTPClient(group: MultiThreadedEventLoopGroup.singleton, egress: egress, resolver: resolver)
    }

    private func post(_ client: WebhookHTTPClient, _ url: String) async throws -> WebhookResponse {
        try await client.post(url, headers: [], body: [1, 2, 3], timeout: .seconds(60))
    }

    @Test("the connection goes to the address that was checked: the name is looked up once for each attempt")
    func checkedAddress() async throws {
        let sink = try await WebhookSink.start()
        // A public-looking name that only our resolver knows: a second look-up by the system would fail.
        let resolver = PlayedResolver([["127.0.0.1"]])
        let client = try client(resolver, Outbox.open)
        #expect(try await post(client, "http://hooks.example:\(sink.port)/x").status == 200)
        #expect(resolver.asked.withLock { $0 } == 1)
        #expect(sink.deliveries.first?.header("Host") == "hooks.example:\(sink.port)")
        await client.shutdown()
    }

    @Test("a device's proxy is checked anew at each look, by address, name and port")
    func proxies() async throws {
        let resolver = PlayedResolver([
            ["93.184.216.34"], ["93.184.216.34", "10.0.0.1"], ["::1", "93.184.216.34"], [],
        ])
        let proxies = ProxyEgress(EgressGuard(), resolver: resolver)
        #expect(try await proxies.addresses(ofHost: "Proxy.Example.", port: 1080) == ["93.184.216.34"])
        for refusal in [EgressGuard.Refusal.privateAddress, .privateAddress, .unresolvable] {
            await #expect(throws: refusal) { try await proxies.addresses(ofHost: "proxy.example", port: 3128) }
        }
        #expect(resolver.asked.withLock { $0 } == 4)
        for (host, port, refusal) in [
            ("127.0.0.1", 8080, EgressGuard.Refusal.privateAddress), ("localhost", 8080, .privateAddress),
            ("0x7f.1", 8080, .privateAddress), ("proxy.example", 25, .malformed), ("pro xy", 8080, .malformed),
        ] {
            await #expect(throws: refusal) { try await proxies.addresses(ofHost: host, port: port) }
        }
        #expect(resolver.asked.withLock { $0 } == 4)
        #expect(try await proxies.addresses(ofHost: "93.184.216.34", port: 443) == ["93.184.216.34"])
    }

    @Test("a name that turns from public to private is refused, also where a connection to it was kept")
    func rebinding() async throws {
        let sink = try await WebhookSink.start()
        let one = try #require(AddressBlock("127.0.0.1/32"))
        let egress = EgressGuard(allowHTTP: true, allowed: [one])
        let turns = [
            ["127.0.0.2"], ["127.0.0.1", "10.0.0.1"], ["::ffff:127.0.0.2"], ["::1"], ["64:ff9b::7f00:2"],
            ["64:ff9b:1::1"], ["2002:7f00:2::"], ["::7f00:2"], ["169.254.169.254"], ["fd00:ec2::254"], ["224.0.0.1"],
            ["0.0.0.0"], ["fe80::1"],
        ]
        let resolver = PlayedResolver([["127.0.0.1"]] + turns)
        let client = try client(resolver, egress)
        let url = "http://hooks.example:\(sink.port)/x"
        #expect(try await post(client, url).status == 200)
        for turn in turns {
            await #expect(throws: EgressGuard.Refusal.privateAddress, "\(turn)") { try await post(client, url) }
        }
        #expect(resolver.asked.withLock { $0 } == turns.count + 1)
        #expect(sink.deliveries.count == 1)
        await client.shutdown()
    }

    @Test("a redirect is an answer like another: nobody goes where it points")
    func redirects() async throws {
        let (front, back) = (try await WebhookSink.start(), try await WebhookSink.start())
        let target = back.url
        for code in [301, 302, 303, 307, 308] {
            front.behave { _ in .status(code, headers: [("Location", target)]) }
            let client = try client(SystemHostResolver(), Outbox.open)
            #expect(try await post(client, front.url).status == code)
            await client.shutdown()
        }
        #expect(back.deliveries.isEmpty && back.refused.isEmpty)
    }

    @Test("of a long answer the first kibibyte is kept, and its connection is not used again")
    func longAnswers() async throws {
        let sink = try await WebhookSink.start()
        let text = String(repeating: "y", count: 200_000)
        sink.behave { _ in .status(200, body: text) }
        let client = try client(SystemHostResolver(), Outbox.open)
        #expect(try await post(client, sink.url).head.count == 1024)
        #expect(try await post(client, sink.url).head.count == 1024)
        #expect(sink.connections == 2)
        sink.behave { _ in .status(200) }
        for _ in 0..<3 { _ = try await post(client, sink.url) }
        #expect(sink.connections == 3)
        await client.shutdown()
    }

    /// Answers every connection with the same bytes, again and again, until it is closed.
    private final class Flood: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let first: String
        private let again: String

        init(_ first: String, _ again: String) { (self.first, self.again) = (first, again) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.write(wrapOutboundOut(ByteBuffer(string: first)), promise: nil)
            Self.flood(context.channel, ByteBuffer(string: String(repeating: again, count: 50)))
        }

        private static func flood(_ channel: any Channel, _ piece: ByteBuffer) {
            channel.writeAndFlush(piece).whenSuccess { flood(channel, piece) }
        }
    }

    @Test(
        "an answer whose head never ends, or that never comes to its status, costs a bounded part of memory",
        arguments: [
            ("HTTP/1.1 200 OK\r\n", "X-Filler: " + String(repeating: "x", count: 1000) + "\r\n"),
            ("", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "1;" + String(repeating: "e", count: 900) + "\r\nx\r\n"
            ),
        ])
    func endlessHeads(first: String, again: String) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Flood(first, again))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try client(SystemHostResolver(), Outbox.open)
        await #expect(throws: WebhookTransportError.tooLarge) {
            try await post(client, "http://127.0.0.1:\(server.localAddress?.port ?? 0)/")
        }
        await client.shutdown()
        try await server.close()
    }

    @Test(
        "addresses of every special kind are refused, in every spelling a library would take",
        arguments: [
            "https://017700000001", "https://0x7f000001/", "https://127.0.1", "https://127.65535", "https://0x7f.0.0.1",
            "https://00000177.0.0.1", "https://1.1.1.1.:22", "https://10.255.255.255", "https://172.16.0.1",
            "https://192.168.255.255", "https://169.254.0.1", "https://100.127.255.255", "https://192.0.0.1",
            "https://192.0.2.1", "https://192.88.99.1", "https://198.18.0.1", "https://198.51.100.1",
            "https://203.0.113.1", "https://239.255.255.255", "https://240.0.0.1", "https://[::ffff:7f00:1]",
            "https://[0:0:0:0:0:ffff:127.0.0.1]", "https://[::ffff:169.254.169.254]", "https://[::7f00:1]",
            "https://[64:ff9b::7f00:1]", "https://[64:ff9b:1::1]", "https://[100::1]", "https://[2001::1]",
            "https://[2001:db8::1]", "https://[2002:c0a8:101::]", "https://[3fff::1]", "https://[5f00::1]",
            "https://[fc00::1]", "https://[fe80::1%25lo]", "https://[fec0::1]", "https://[ff02::1]", "https://[::2]",
            "https://[4000::1]", "https://[::ffff:0:127.0.0.1]",
        ])
    func literals(url: String) {
        #expect(throws: EgressGuard.Refusal.self, "\(url)") { try EgressGuard().target(of: url) }
    }

    @Test(
        "public addresses are not", arguments: ["https://1.1.1.1", "https://[2606:4700::1111]", "https://8.8.8.8:8443"])
    func publicLiterals(url: String) throws {
        _ = try EgressGuard().target(of: url)
    }

    @Test("a resolver that hangs costs the request its time and no more")
    func hangingResolver() async throws {
        struct Hanging: HostResolver {
            func addresses(of host: String) async -> [IPAddress] {
                try? await Task.sleep(for: .seconds(3600))
                return []
            }
        }
        let client = try client(Hanging(), Outbox.open)
        await #expect(throws: WebhookTransportError.timeout) {
            try await client.post("http://hooks.example:9000/", headers: [], body: [], timeout: .milliseconds(50))
        }
    }
}
