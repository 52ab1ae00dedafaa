import Cryptography
import Foundation
import NIOCore
import Transport

/// A client that does what the test says and nothing by itself: handshake, stanzas out, stanzas in.
actor ScriptedClient {
    private let socket: RawSocket
    private var noise: NoiseTransport
    private var frames = FrameDecoder()
    private var inbox: [Stanza] = []
    private var isOver = false
    private var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter: UInt64 = 0
    private var nextID = 1
    /// Close code the server sent, if any.
    private(set) var closeCode: UInt16?
    private var reader: Task<Void, Never>?

    /// Connects and shakes hands with `payload`.
    static func connect(
        _ addresses: URLAndRoot, noiseKey: KeyPair, payload: Bytes, headers: [String: String] = [:],
        routingInfo: Bytes? = nil
    ) async throws -> ScriptedClient {
        let socket = try await RawSocket.connect(addresses.url, headers: headers)
        var handshake = NoiseClientHandshake(
            staticKey: noiseKey, ephemeral: .generate(), trust: NoiseTrust(rootPublicKey: addresses.root))
        var first = ByteBuffer(bytes: Intro.bytes(routingInfo: routingInfo))
        try FrameEncoder.encode(handshake.clientHello(), into: &first)
        // A server that refused the upgrade may have closed already: the events tell.
        do { try await socket.send(Bytes(buffer: first)) } catch is ChannelError {}
        let hello = try await firstFrame(from: socket)
        let finish = try handshake.receive(
            serverHello: hello, payload: payload, now: Int64(Date().timeIntervalSince1970))
        var second = ByteBuffer()
        try FrameEncoder.encode(finish, into: &second)
        try await socket.send(Bytes(buffer: second))
        let client = ScriptedClient(socket: socket, noise: try NoiseTransport(handshake.transportKeys()))
        await client.read()
        return client
    }

    /// Connects as a client that remembers `serverKey`: the payload goes with the first message (01-transport, section 5.4).
    /// Returns the client and whether the server accepted that.
    static func resume(
        _ addresses: URLAndRoot, noiseKey: KeyPair, serverKey: PublicKey, payload: Bytes
    ) async throws -> (client: ScriptedClient, accepted: Bool) {
        let socket = try await RawSocket.connect(addresses.url)
        var handshake = ResumingHandshake(noiseKey: noiseKey, serverKey: serverKey, payload: payload)
        var first = ByteBuffer(bytes: Intro.header)
        try FrameEncoder.encode(try handshake.clientHello(), into: &first)
        try await socket.send(Bytes(buffer: first))
        let hello = try await firstFrame(from: socket)
        let (keys, finish) = try handshake.receive(serverHello: hello)
        if let finish {
            var second = ByteBuffer()
            try FrameEncoder.encode(finish, into: &second)
            try await socket.send(Bytes(buffer: second))
        }
        let client = ScriptedClient(socket: socket, noise: try NoiseTransport(keys))
        await client.read()
        return (client, finish == nil)
    }

    /// The first frame of a connection. Throws when others came in the same WebSocket message: there are clients whose
    /// handshake takes one frame out of it and loses the rest.
    private static func firstFrame(from socket: RawSocket) async throws -> Bytes {
        var decoder = FrameDecoder()
        var frames: [ByteBuffer] = []
        var events = socket.events.makeAsyncIterator()
        while true {
            switch await events.next() {
            case .binary(let bytes): try decoder.decode(ByteBuffer(bytes: bytes)) { frames.append($0) }
            case .refused(let text): throw TestFailure("refused: \(text)")
            default: throw TestFailure("closed during the handshake")
            }
            guard let first = frames.first else { continue }
            guard frames.count == 1 else { throw TestFailure("\(frames.count) frames in one message") }
            return Bytes(buffer: first)
        }
    }

    private init(socket: RawSocket, noise: NoiseTransport) {
        self.socket = socket
        self.noise = noise
    }

    private func read() {
        reader = Task { [socket] in
            for await event in socket.events { self.take(event) }
            self.take(.ended)
        }
    }

    private func take(_ event: RawSocket.Event) {
        switch event {
        case .binary(let bytes):
            do {
                try frames.decode(ByteBuffer(bytes: bytes)) { frame in
                    var frame = frame
                    try noise.receiving.open(&frame)
                    inbox.append(try StanzaCodec.decode(frame: frame))
                }
            } catch {
                inbox.append(Stanza("unreadable", ["error": .text("\(error)")]))
            }
        case .closeFrame(let code): closeCode = code
        case .ended, .refused: isOver = true
        }
        for waiter in waiters.values { waiter.resume() }
        waiters = [:]
    }

    // MARK: Out

    func send(_ stanza: Stanza) async throws { try await send(plaintext: StanzaCodec.encodeFrame(stanza)) }

    func send(plaintext: Bytes) async throws {
        var buffer = ByteBuffer()
        try FrameEncoder.encode(plaintext: plaintext, with: &noise.sending, into: &buffer)
        try await socket.send(Bytes(buffer: buffer))
    }

    /// Sends bytes past the cipher.
    func send(raw: Bytes) async throws { try await socket.send(raw) }

    func sendClose() async throws { try await socket.sendClose() }
    func drop() async { await socket.drop() }

    // MARK: In

    /// Takes the first stanza that satisfies `matches` out of the inbox, waiting at most `seconds`.
    func next(
        _ what: String, within seconds: Double = 60, where matches: @Sendable (Stanza) -> Bool
    ) async throws -> Stanza {
        let deadline = Date().addingTimeInterval(seconds)
        while true {
            if let index = inbox.firstIndex(where: matches) { return inbox.remove(at: index) }
            if isOver { throw TestFailure("closed while waiting for \(what); inbox: \(inbox)") }
            guard await waitForEvent(until: deadline) else {
                throw TestFailure("no \(what) within \(seconds) s; inbox: \(inbox)")
            }
        }
    }

    /// The stanzas that came and were not taken.
    var pending: [Stanza] { inbox }

    /// Whether the server ended the connection within `seconds`.
    func ended(within seconds: Double = 60) async -> Bool {
        let deadline = Date().addingTimeInterval(seconds)
        while !isOver { if await !waitForEvent(until: deadline) { return isOver } }
        return true
    }

    private func waitForEvent(until deadline: Date) async -> Bool {
        let left = deadline.timeIntervalSinceNow
        guard left > 0 else { return false }
        let id = nextWaiter
        nextWaiter += 1
        let timer = Task {
            try? await Task.sleep(for: .seconds(left))
            self.giveUp(id)
        }
        await withCheckedContinuation { waiters[id] = $0 }
        timer.cancel()
        return Date() < deadline
    }

    private func giveUp(_ id: UInt64) { waiters.removeValue(forKey: id)?.resume() }

    // MARK: Requests

    /// Sends an IQ to the server and returns the answer.
    func query(
        _ type: String, _ xmlns: String, to: JID = .serverJID, _ children: Stanza..., attributes: StanzaAttributes = [:]
    ) async throws -> Stanza {
        let id = "q\(nextID)"
        nextID += 1
        let base: StanzaAttributes = ["id": .text(id), "type": .text(type), "xmlns": .text(xmlns), "to": .jid(to)]
        try await send(Stanza("iq", base.merging(attributes), children: children))
        return try await next("answer to \(xmlns)") { $0.tag == "iq" && $0.id == id }
    }

    /// Sends `stanza` and returns the ack with its id.
    func sendForAck(_ stanza: Stanza) async throws -> Stanza {
        try await send(stanza)
        return try await next("ack of \(stanza.id ?? "")") { $0.tag == "ack" && $0.id == stanza.id }
    }
}

/// Where a sandbox listens, and what its certificates are checked against.
struct URLAndRoot: Sendable {
    let url: String
    let root: Bytes
}
