import NIOCore
import Testing
import Transport

@Suite("Websocket frames and upgrade")
struct WebSocketTests {
    private func read(_ bytes: [UInt8], pieces: Int = 1) throws -> [WebSocketReader.Event] {
        var reader = WebSocketReader()
        var events: [WebSocketReader.Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            try reader.read(ByteBuffer(bytes: rest.prefix(pieces))) { events.append($0) }
            rest = rest.dropFirst(pieces)
        }
        return events
    }

    @Test(
        "what a server must not send is a protocol error",
        arguments: [
            [0xC2, 0], [0xA2, 0], [0x92, 0], [0x82, 0x80], [0x83, 0], [0x8B, 0], [0x09, 0], [0x88, 126, 0, 126],
            [0x80, 0],
            [0x02, 0, 0x82, 0], [0x88, 1, 0],
        ] as [[UInt8]])
    func protocolErrors(_ bytes: [UInt8]) {
        #expect(throws: WebSocketReader.ReadingError.self) { try read(bytes, pieces: 100) }
    }

    @Test("a message may have 2^24 + 2 bytes and not one more, in one frame or in several")
    func maximum() throws {
        #expect(throws: WebSocketReader.ReadingError.messageTooLarge) {
            try read([0x82, 127, 0, 0, 0, 0, 1, 0, 0, 3], pieces: 100)
        }
        #expect(throws: WebSocketReader.ReadingError.messageTooLarge) {
            try read([0x82, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0], pieces: 100)
        }
        var reader = WebSocketReader()
        var header = ByteBuffer(bytes: [0x02, 127])
        header.writeInteger(UInt64(1 << 24))
        try reader.read(header) { _ in }
        try reader.read(ByteBuffer(repeating: 0, count: 1 << 24)) { _ in }
        try reader.read(ByteBuffer(bytes: [0x00, 2, 1, 1])) { _ in }
        #expect(throws: WebSocketReader.ReadingError.messageTooLarge) {
            try reader.read(ByteBuffer(bytes: [0x80, 1])) { _ in }
        }
    }

    @Test("control frames come through between and inside of messages, byte by byte")
    func control() throws {
        let stream: [UInt8] = [
            0x89, 2, 1, 2, 0x02, 3, 5, 6, 7, 0x8A, 0, 0x80, 1, 8, 0x81, 2, 0x41, 0x42, 0x88, 2, 3, 0xE8,
        ]
        for pieces in 1...stream.count {
            var data: [UInt8] = []
            var others: [WebSocketReader.Event] = []
            for event in try read(stream, pieces: pieces) {
                if case .data(let piece) = event {
                    data += Array(piece.readableBytesView)
                } else {
                    others.append(event)
                }
            }
            #expect(data == [5, 6, 7, 8])
            #expect(others == [.ping(ByteBuffer(bytes: [1, 2])), .pong, .close(code: 1000)])
        }
        #expect(try read([0x88, 0]) == [.close(code: nil)])
    }

    @Test("random bytes never trap")
    func fuzz() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<20).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = try? read(bytes, pieces: Int.random(in: 1...20, using: &generator))
        }
    }

    private let nonce: [UInt8] = Array("the sample nonce".utf8)

    @Test("the key of RFC 6455 gives its accept value, and the request has what the server wants")
    func upgrade() throws {
        let upgrade = WebSocketUpgrade(nonce: nonce)
        #expect(upgrade.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let url = try #require(WebSocketURL("wss://example.org/ws/chat"))
        let request = String(
            buffer: upgrade.request(
                url: url, origin: "https://web.whatsapp.com",
                headers: [("X-Test", "1"), ("Host", "evil"), ("Bad", "a\r\nb: c"), ("pragma", "other")]))
        #expect(request.hasPrefix("GET /ws/chat HTTP/1.1\r\nHost: example.org\r\n"))
        #expect(request.hasSuffix("\r\n\r\n"))
        #expect(request.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        #expect(request.contains("Sec-WebSocket-Version: 13\r\n"))
        #expect(request.contains("Origin: https://web.whatsapp.com\r\n"))
        #expect(request.contains("X-Test: 1\r\n") && request.contains("pragma: other\r\n"))
        #expect(!request.contains("evil") && !request.contains("Bad") && !request.contains("no-cache\r\nPragma"))
    }

    @Test("the answer is taken byte by byte, and what follows it stays")
    func answer() throws {
        let upgrade = WebSocketUpgrade(nonce: nonce)
        let text =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=  \r\n\r\n"
        var buffer = ByteBuffer()
        for byte in text.utf8.dropLast() {
            buffer.writeInteger(byte)
            #expect(try !upgrade.receive(&buffer))
        }
        buffer.writeBytes([0x0A, 0x82, 0])
        #expect(try upgrade.receive(&buffer))
        #expect(Array(buffer.readableBytesView) == [0x82, 0])
    }

    @Test(
        "another answer is a typed failure",
        arguments: [
            ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", .refused(status: 403)),
            (
                "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                .upgrade("wrong Sec-WebSocket-Accept")
            ),
            ("HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", .upgrade("not a websocket answer")),
            ("SSH-2.0-x\r\n\r\n", .upgrade("not an HTTP answer")),
            ("HTTP/1.1 abc\r\n\r\n", .upgrade("not an HTTP answer")),
            ("HTTP/1.1 200 OK\r\n: x\r\n\r\n", .upgrade("not an HTTP answer")),
            (String(repeating: "x", count: 20_000), .upgrade("not an HTTP answer")),
        ] as [(String, ConnectFailure)])
    func refusals(_ answer: String, _ failure: ConnectFailure) {
        var buffer = ByteBuffer(string: answer)
        #expect(throws: failure) { try WebSocketUpgrade(nonce: nonce).receive(&buffer) }
    }

    @Test("URLs are taken apart")
    func urls() throws {
        let real = try #require(WebSocketURL("wss://web.whatsapp.com/ws/chat"))
        #expect(real.isSecure && real.host == "web.whatsapp.com" && real.port == 443 && real.target == "/ws/chat")
        #expect(real.hostHeader == "web.whatsapp.com")
        let local = try #require(WebSocketURL("ws://127.0.0.1:8081?ED=x#y"))
        #expect(
            !local.isSecure && local.port == 8081 && local.target == "/?ED=x" && local.hostHeader == "127.0.0.1:8081")
        let six = try #require(WebSocketURL("WS://[::1]:9/a"))
        #expect(six.host == "::1" && six.port == 9 && six.hostHeader == "[::1]:9")
        for text in [
            "http://x", "ws://", "ws://:80/", "ws://x:0/", "ws://x:70000/", "ws://x:+80/", "ws://a b/", "ws://u@x/",
            "ws://[::1/",
            "ws://::1/", "", "ws://x/\r\n",
        ] {
            #expect(WebSocketURL(text) == nil, "\(text)")
        }
    }
}
