import Cryptography
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Testing
import Transport

@Suite("Noise connection over a real socket")
struct NoiseConnectionTests {
    private let group = MultiThreadedEventLoopGroup.singleton
    private let staticKey = KeyPair.generate()

    /// Connects to `server` and gives both ends.
    private func connect(
        _ server: FakeChatServer, handler: RecordingHandler, configuration: ConnectionConfiguration? = nil,
        routingInfo: Bytes? = nil, events: inout AsyncStream<FakeChatServer.Event>.Iterator
    ) async throws -> (NoiseConnection, FakeChatSession) {
        let connection = try await NoiseConnection.connect(
            configuration ?? server.configuration(), on: group.next(), staticKey: staticKey, payload: [1, 2, 3],
            routingInfo: routingInfo, handler: handler
        ).get()
        guard
            case .ready(let session, let payload, let clientStatic, let routing, let path, let headers) =
                await events.next()
        else { throw ConnectFailure.closed }
        #expect(payload == [1, 2, 3])
        #expect(clientStatic == staticKey.publicKey.raw)
        #expect(routing == routingInfo)
        #expect(path == "/ws/chat")
        #expect(headers["origin"] == "https://web.whatsapp.com")
        #expect(headers["cache-control"] == "no-cache" && headers["pragma"] == "no-cache")
        #expect(headers["user-agent"]?.contains("Mozilla") == true)
        #expect(headers["sec-websocket-extensions"] == nil)
        return (connection, session)
    }

    private func ping(_ number: Int) -> Stanza { Stanza("iq", ["id": .int(number), "type": "get"]) }

    @Test("stanzas go both ways in order, and closing says goodbye")
    func exchange() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (connection, session) = try await connect(
            server, handler: handler, routingInfo: [7, 8, 9], events: &events)
        for number in 0..<50 { connection.enqueue(ping(number)) }
        try await connection.send(ping(50)).get()
        for number in 0...50 {
            guard case .stanza(let stanza) = await events.next() else { return #expect(Bool(false)) }
            #expect(stanza == ping(number))
        }
        session.send(ping(1), ping(2))
        session.send(ping(3))
        for number in 1...3 { #expect(await handler.next() == .received(ping(number))) }
        connection.close()
        #expect(await handler.next() == .closed(.requested))
        guard case .close(1000) = await events.next() else { return #expect(Bool(false), "no close frame") }
        await #expect(throws: DisconnectReason.self) { try await connection.send(ping(1)).get() }
        try await server.stop()
    }

    @Test("a connection that nobody wants any more is given up before it logs in")
    func unwanted() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        await #expect(throws: ConnectFailure.unwanted) {
            try await NoiseConnection.connect(
                server.configuration(), on: group.next(), staticKey: staticKey, payload: [1, 2, 3],
                handler: RecordingHandler(isWanted: false)
            ).get()
        }
        // The server saw the socket go and no login.
        switch await events.next() {
        case .inactive, .failed: break
        case let event: Issue.record("\(String(describing: event))")
        }
        try await server.stop()
    }

    @Test("frames split over websocket messages at every byte, fragmented messages and pings between them lose nothing")
    func splits() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (connection, session) = try await connect(server, handler: handler, events: &events)
        let stanzas = [ping(1), Stanza("message", ["id": "2"], bytes: Bytes(repeating: 5, count: 40)), ping(3)]
        for split in 0..<120 {
            session.send(stanzas) { bytes in
                let split = min(split, bytes.count)
                return [bytes[..<split], bytes[split...]].map {
                    WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: $0))
                }
            }
            for stanza in stanzas { #expect(await handler.next() == .received(stanza)) }
        }
        session.send(stanzas) { bytes in
            [
                WebSocketFrame(fin: false, opcode: .binary, data: ByteBuffer(bytes: bytes[..<10])),
                WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(bytes: [4, 2])),
                WebSocketFrame(fin: false, opcode: .continuation, data: ByteBuffer(bytes: bytes[10..<11])),
                WebSocketFrame(fin: false, opcode: .continuation, data: ByteBuffer()),
                WebSocketFrame(fin: true, opcode: .continuation, data: ByteBuffer(bytes: bytes[11...])),
            ]
        }
        for stanza in stanzas { #expect(await handler.next() == .received(stanza)) }
        guard case .pong([4, 2]) = await events.next() else { return #expect(Bool(false), "no pong") }
        session.send(frame: WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: "ignored")))
        session.send(ping(9))
        #expect(await handler.next() == .received(ping(9)))
        connection.close()
        try await server.stop()
    }

    @Test("a stanza of a megabyte goes both ways")
    func large() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (connection, session) = try await connect(server, handler: handler, events: &events)
        let stanza = Stanza("message", bytes: Bytes(repeating: 9, count: 1_000_000))
        try await connection.send(stanza).get()
        guard case .stanza(let received) = await events.next() else { return #expect(Bool(false)) }
        #expect(received == stanza)
        session.send(stanza)
        while let event = await handler.next() {
            if case .writability = event { continue }
            #expect(event == .received(stanza))
            break
        }
        connection.close()
        try await server.stop()
    }

    @Test("a stanza that cannot be encoded fails alone")
    func unencodable() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (connection, _) = try await connect(server, handler: handler, events: &events)
        await #expect(throws: StanzaError.emptyElement) { try await connection.send(Stanza("")).get() }
        try await connection.send(ping(1)).get()
        guard case .stanza(ping(1)) = await events.next() else { return #expect(Bool(false)) }
        connection.close()
        try await server.stop()
    }

    @Test("refusals and stream errors arrive as stanzas first and as the reason afterwards")
    func terminalStanzas() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        var banned = LoginFailure(reason: 402)
        banned.code = 101
        banned.expire = 3600
        let cases: [(Stanza, DisconnectReason)] = [
            (Stanza("failure", ["reason": 402, "code": 101, "expire": 3600]), .failure(banned)),
            (Stanza("stream:error", ["code": 515]), .streamError(.restartRequired)),
            (Stanza("stream:error", children: [Stanza("conflict", ["type": "replaced"])]), .streamError(.replaced)),
        ]
        for (stanza, reason) in cases {
            let handler = RecordingHandler()
            let (_, session) = try await connect(server, handler: handler, events: &events)
            session.send(ping(1), stanza)
            #expect(await handler.next() == .received(ping(1)))
            #expect(await handler.next() == .received(stanza))
            #expect(await handler.next() == .closed(reason))
            guard case .close = await events.next(), case .inactive = await events.next() else {
                return #expect(Bool(false))
            }
        }
        try await server.stop()
    }

    @Test("after xmlstreamend, what still comes is delivered and the socket's end is the reason's end")
    func streamEnd() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (_, session) = try await connect(server, handler: handler, events: &events)
        session.send(Stanza("xmlstreamend"), ping(2))
        #expect(await handler.next() == .received(Stanza("xmlstreamend")))
        #expect(await handler.next() == .received(ping(2)))
        session.close()
        #expect(await handler.next() == .closed(.streamEnded))
        try await server.stop()
    }

    @Test("a close frame is answered at once and its code reported; a bare end of the socket has none")
    func closedByServer() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let first = RecordingHandler()
        let (_, session) = try await connect(server, handler: first, events: &events)
        session.send(
            frame: WebSocketFrame(fin: true, opcode: .connectionClose, data: ByteBuffer(integer: 1001 as UInt16)))
        #expect(await first.next() == .closed(.closedByPeer(code: 1001)))
        guard case .close(1001) = await events.next(), case .inactive = await events.next() else {
            return #expect(Bool(false))
        }
        let second = RecordingHandler()
        let (_, other) = try await connect(server, handler: second, events: &events)
        other.close()
        #expect(await second.next() == .closed(.closedByPeer(code: nil)))
        try await server.stop()
    }

    @Test("a frame that does not decrypt ends the connection")
    func undecryptable() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (_, session) = try await connect(server, handler: handler, events: &events)
        session.send(binary: [0, 0, 20] + Bytes(repeating: 1, count: 20))
        #expect(await handler.next() == .closed(.undecryptableFrame))
        try await server.stop()
    }

    @Test(
        "malformed stanzas are dropped and counted; a good one starts the count over, three in a row end the connection"
    )
    func malformed() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (_, session) = try await connect(server, handler: handler, events: &events)
        session.send(plaintext: [0, 0xF8, 0])
        session.send(plaintext: [])
        session.send(ping(1))
        #expect(await handler.next() == .dropped(.emptyElement, count: 1))
        #expect(await handler.next() == .dropped(.emptyFrame, count: 2))
        #expect(await handler.next() == .received(ping(1)))
        for count in 1...3 {
            session.send(plaintext: [0, 0xF8, 1, 0xFC, 9])
            #expect(await handler.next() == .dropped(.truncated, count: count))
        }
        #expect(await handler.next() == .closed(.malformedStanzas))
        try await server.stop()
    }

    @Test("a server whose certificate does not hold never gets the payload")
    func untrustedServer() async throws {
        let server = try await FakeChatServer(group: group, behaviour: .init(validity: 1...2))
        var configuration = server.configuration()
        for (trust, error) in [
            (configuration.trust, CertificateError.intermediateExpired), (.whatsApp, .intermediateSignature),
        ] {
            configuration.trust = trust
            await #expect(throws: ConnectFailure.handshake(.certificate(error))) {
                try await NoiseConnection.connect(
                    configuration, on: group.next(), staticKey: staticKey, payload: [], handler: RecordingHandler()
                ).get()
            }
        }
        var events = server.events.makeAsyncIterator()
        for _ in 0..<2 {
            guard case .inactive = await events.next() else { return #expect(Bool(false)) }
        }
        try await server.stop()
    }

    @Test("a refused upgrade gives its status, an unreachable server a dial error, a silent one a time-out")
    func failures() async throws {
        let refusing = try await FakeChatServer(group: group, behaviour: .init(refusal: .serviceUnavailable))
        await #expect(throws: ConnectFailure.refused(status: 503)) { try await attempt(refusing.configuration()) }
        try await refusing.stop()
        await #expect(throws: ConnectFailure.self) { try await attempt(refusing.configuration()) }
        await #expect(throws: ConnectFailure.invalidURL("http://x")) {
            try await attempt(ConnectionConfiguration(url: "http://x"))
        }

        let silent = try await FakeChatServer(group: group, behaviour: .init(answersHandshake: false))
        var configuration = silent.configuration()
        configuration.handshakeTimeout = .milliseconds(50)
        await #expect(throws: ConnectFailure.timedOut) { try await attempt(configuration) }
        configuration.url = "wss://127.0.0.1:\(silent.port)/"
        configuration.connectTimeout = .milliseconds(300)
        await #expect(throws: ConnectFailure.self) { try await attempt(configuration) }
        try await silent.stop()
    }

    private func attempt(_ configuration: ConnectionConfiguration) async throws {
        _ = try await NoiseConnection.connect(
            configuration, on: group.next(), staticKey: staticKey, payload: [], handler: RecordingHandler()
        ).get()
    }

    @Test("a server that does not read makes the connection unwritable and then ends it")
    func overflow() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (connection, session) = try await connect(server, handler: handler, events: &events)
        try await session.channel.setOption(.autoRead, value: false).get()
        // Enough to fill the kernel's buffers of both ends and ours.
        let stanza = Stanza("message", bytes: Bytes(repeating: 9, count: 500_000))
        for _ in 0..<40 { connection.enqueue(stanza) }
        #expect(await handler.next() == .writability(false))
        var last: RecordingHandler.Event?
        while let event = await handler.next() { last = event }
        #expect(last == .closed(.outgoingOverflow))
        try await server.stop()
    }

    @Test("while reading is off nothing arrives; afterwards everything does")
    func backpressure() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler()
        let (connection, session) = try await connect(server, handler: handler, events: &events)
        connection.setReading(false)
        // An answer to this shows that the loop has done what was asked before it.
        try await connection.send(ping(0)).get()
        for number in 1...100 { session.send(ping(number)) }
        connection.setReading(true)
        for number in 1...100 { #expect(await handler.next() == .received(ping(number))) }
        connection.close()
        try await server.stop()
    }

    @Test("answers sent while handling what arrived leave in order")
    func answersFromHandler() async throws {
        let server = try await FakeChatServer(group: group)
        var events = server.events.makeAsyncIterator()
        let handler = RecordingHandler { connection, stanza in
            if let ack = stanza.ack() { connection.enqueue(ack) }
        }
        let (connection, session) = try await connect(server, handler: handler, events: &events)
        let stanzas = (0..<20).map { Stanza("receipt", ["id": .int($0), "from": .jid(.user("1"))]) }
        session.send(stanzas) { [WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: $0))] }
        for number in 0..<20 {
            guard case .stanza(let ack) = await events.next() else { return #expect(Bool(false)) }
            #expect(ack == Stanza("ack", ["class": "receipt", "id": .int(number), "to": .jid(.user("1"))]))
        }
        connection.close()
        try await server.stop()
    }
}
