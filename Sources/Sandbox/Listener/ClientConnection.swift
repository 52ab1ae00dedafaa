import Cryptography
import NIOCore
import OrderedCollections
import Transport

/// One socket of a client: Noise responder, stanzas in and out, and the rule by which it ends (09, sections 4, 5, 22.3).
///
/// Stanzas are sealed at once, in order, and written to the socket at the end of the turn.
@SandboxActor
package final class ClientConnection {
    enum Phase {
        /// Waiting for the client's hello.
        case opened
        /// Hello answered, waiting for the client's finish.
        case answered(NoiseServerHandshake)
        case registering(PairingSession)
        case loggedIn(Device)
        /// The last stanza was sent; what still comes is ignored.
        case ending
        case closed
    }

    /// What is known of the time in which a newer socket of the same device was open.
    struct Overlap {
        let by: Int
        let device: Device
        let since: NIODeadline
        /// Frames that still came here.
        var frames = 0
    }

    /// Number of the connection, unique per world and start.
    package let id: Int
    let world: World
    let channel: any Channel
    var phase = Phase.opened
    private var stream = ClientStreamDecoder()
    private var noise: NoiseTransport?
    private var outbound: ByteBuffer?
    private var unflushed = false
    private var sawClose = false
    private(set) var lastInbound: NIODeadline
    /// Set while a newer socket of the same device is open.
    var overlap: Overlap?
    private var deadline: Scheduled<Void>?
    let inboundFaults = DirectionFaults()
    let outboundFaults = DirectionFaults()
    var answerFault = AnswerFault()
    /// Stanzas of the queue that wait for the answer being made: an IQ's result precedes the notifications it causes.
    private var heldBack: [Stanza]?
    /// Subscriptions to presence: by account's phone number, in the address space asked for.
    var presenceSubscriptions: [String: AddressSpace] = [:]
    /// How far the delivery of the queue has come.
    var delivery = Delivery.held

    init(id: Int, world: World, channel: any Channel) {
        self.id = id
        self.world = world
        self.channel = channel
        lastInbound = .now()
    }

    /// The device that logged in here.
    package var device: Device? {
        if case .loggedIn(let device) = phase { device } else { nil }
    }

    package var pairing: PairingSession? {
        if case .registering(let session) = phase { session } else { nil }
    }

    var isOpen: Bool {
        switch phase {
        case .opened, .answered, .registering, .loggedIn: true
        case .ending, .closed: false
        }
    }

    // MARK: Life

    func opened() {
        world.counters.connectionsAccepted += 1
        world.events.emit(
            .connectionOpened, connection: id, ["remote": .string(channel.remoteAddress?.description ?? "")])
        expectWithin(world.settings.handshakeTimeout, "handshake")
    }

    /// Closes the socket unless ``settled()`` is called within `milliseconds` of real time.
    func expectWithin(_ milliseconds: Int, _ what: String) {
        deadline?.cancel()
        deadline = SandboxActor.loop.scheduleTask(in: .milliseconds(Int64(milliseconds))) { [weak self] in
            SandboxActor.run {
                guard let self, self.isOpen else { return }
                self.world.violation("timeout", "\(what) took too long", connection: self)
                self.close(code: .normalClosure)
            }
        }
    }

    func settled() {
        deadline?.cancel()
        deadline = nil
    }

    /// Closes a socket on which nothing came for the idle time; called once a second by the listener.
    func checkIdle(now: NIODeadline) {
        guard isOpen, now - lastInbound > .milliseconds(Int64(world.settings.idleTimeout)) else { return }
        close(code: .normalClosure)
    }

    /// The channel is gone.
    func channelClosed() {
        settled()
        inboundFaults.stop()
        outboundFaults.stop()
        let before = phase
        phase = .closed
        world.connections[id] = nil
        world.checkOverlapEnd(of: self)
        world.forgetPresenceSubscriptions(of: self)
        switch before {
        case .registering(let session): world.registrationClosed(session)
        case .loggedIn(let device): world.connectionLost(device, self)
        case .ending, .opened, .answered, .closed: break
        }
        world.events.emit(.connectionClosed, connection: id)
    }

    // MARK: Inbound

    /// Bytes of binary WebSocket messages.
    func receive(_ bytes: ByteBuffer) {
        overlap?.frames += 1
        guard isOpen else { return }
        lastInbound = .now()
        world.counters.bytesReceived += bytes.readableBytes
        do {
            try stream.decode(bytes) { frame in
                world.counters.framesReceived += 1
                if isOpen { receive(frame: frame) }
            }
        } catch {
            world.violation("bad_stream", "\(error)", connection: self)
            abort()
        }
    }

    private func receive(frame: ByteBuffer) {
        switch phase {
        case .opened: answerHello(Bytes(buffer: frame))
        case .answered(let handshake): finish(handshake, Bytes(buffer: frame))
        case .registering, .loggedIn: receive(sealed: frame)
        case .ending, .closed: break
        }
    }

    private func answerHello(_ message: Bytes) {
        do {
            var flaw: FaultAction.CertificateFault?
            for action in fire(.handshake, nil) {
                if case .badCertificate(let kind) = action { flaw = kind }
                if case .reset = action { return reset() }
                if case .close(let code) = action { return close(code: .init(codeNumber: code)) }
                if case .drop = action { return }
            }
            var handshake = NoiseServerHandshake(
                staticKey: world.trust.staticKey, ephemeral: .generate(random: world.random.stream("noise/ephemeral")),
                certificateChain: world.trust.chain(flaw: flaw),
                // A client that resumes does not look at the certificates.
                resumes: flaw == nil)
            let answer = try handshake.receive(clientHello: message)
            phase = .answered(handshake)
            append { try FrameEncoder.encode(answer, into: &$0) }
            if let (clientStatic, payload) = handshake.resumption {
                // Alone in its WebSocket message: whatsapp-rust drops frames that come with the handshake's last one.
                flush()
                try finish(handshake, clientStatic: clientStatic, payload: payload)
            }
        } catch {
            world.violation("noise", "client hello: \(error)", connection: self)
            abort()
        }
    }

    private func finish(_ handshake: NoiseServerHandshake, _ message: Bytes) {
        do {
            var handshake = handshake
            let (clientStatic, payload) = try handshake.receive(clientFinish: message)
            try finish(handshake, clientStatic: clientStatic, payload: payload)
        } catch {
            world.violation("noise", "client finish: \(error)", connection: self)
            abort()
        }
    }

    private func finish(_ handshake: NoiseServerHandshake, clientStatic: PublicKey, payload: Bytes) throws {
        noise = try NoiseTransport(handshake.transportKeys())
        world.events.emit(.connectionHandshake, connection: id)
        expectWithin(world.settings.handshakeTimeout, "pairing or login")
        world.admit(self, clientKey: clientStatic, payload: payload)
    }

    private func receive(sealed frame: ByteBuffer) {
        var opened = frame
        do {
            try noise?.receiving.open(&opened)
        } catch {
            // The counter of a lost or forged frame cannot be known: the direction is dead.
            world.violation("bad_mac", "\(frame.readableBytes) bytes", connection: self)
            return abort()
        }
        let plaintext = Bytes(buffer: opened)
        do {
            let stanza = try StanzaCodec.decode(frame: plaintext)
            world.recorder.record(
                .clientToServer, stanza, connection: id, account: device?.account.phone,
                device: device.map { Int($0.id) })
            process(stanza, raw: plaintext)
        } catch {
            world.violation("bad_stanza", "\(error), \(plaintext.count) bytes", connection: self)
        }
    }

    // MARK: Outbound

    /// Sends one stanza. Does nothing once the connection is ending.
    package func send(_ stanza: Stanza) {
        guard isOpen else { return }
        transmit(stanza)
    }

    /// Sends a stanza of the queue, after the answer if one is being made.
    func deliver(_ stanza: Stanza) {
        if heldBack == nil { send(stanza) } else { heldBack?.append(stanza) }
    }

    /// Runs `body`, which sends the answer to a request, and then lets out what the request caused.
    func answering(_ body: () -> Void) {
        guard heldBack == nil else { return body() }
        heldBack = []
        body()
        let waiting = heldBack ?? []
        heldBack = nil
        for stanza in waiting { send(stanza) }
    }

    /// Sends `stanza` past the fault rules.
    func write(_ stanza: Stanza) {
        world.recorder.record(
            .serverToClient, stanza, connection: id, account: device?.account.phone, device: device.map { Int($0.id) })
        guard let limit = world.settings.compressAbove else {
            return append { buffer in try noise?.encode(stanza, into: &buffer) }
        }
        guard let plaintext = try? StanzaCompression.encode(stanza, above: limit) else {
            return world.violation("unencodable", stanza.tag, connection: self, stanza: stanza)
        }
        write(plaintext: plaintext)
    }

    /// Seals the plaintext of one frame; `damage` may change the ciphertext.
    func write(plaintext: Bytes, damage: ((inout Bytes) -> Void)? = nil) {
        append { buffer in
            guard var sealed = try self.noise?.sending.seal(plaintext) else { return }
            damage?(&sealed)
            try FrameEncoder.encode(sealed, into: &buffer)
        }
    }

    /// Lets `body` append one frame to what the socket gets at the end of the turn.
    private func append(_ body: (inout ByteBuffer) throws -> Void) {
        var buffer = outbound ?? channel.allocator.buffer(capacity: 1024)
        outbound = nil
        let before = buffer.readableBytes
        do {
            try body(&buffer)
        } catch {
            world.violation("unsendable", "\(error)", connection: self)
        }
        guard buffer.readableBytes > before else {
            if before > 0 { outbound = buffer }
            return
        }
        world.counters.framesSent += 1
        world.counters.bytesSent += buffer.readableBytes - before
        outbound = buffer
        if buffer.readableBytes > Self.messageLimit { passOn() }
        flushLater()
    }

    /// Bytes of frames after which a WebSocket message is full.
    private static let messageLimit = 64 << 10

    private func flushLater() {
        guard !unflushed else { return }
        unflushed = true
        world.flushLater(self)
    }

    /// Passes what is buffered to the channel as one WebSocket message of whole frames.
    func passOn() {
        guard let buffer = outbound else { return }
        outbound = nil
        channel.write(ChatSocketHandler.Outbound.binary(buffer), promise: nil)
    }

    /// Passes `parts` pieces of what is buffered as separate WebSocket messages: the `split_ws` fault.
    func splitMessage(parts: Int) {
        guard var buffer = outbound else { return }
        outbound = nil
        let size = max(1, buffer.readableBytes / max(1, parts))
        while buffer.readableBytes > 0, let piece = buffer.readSlice(length: min(size, buffer.readableBytes)) {
            channel.write(ChatSocketHandler.Outbound.binary(piece), promise: nil)
        }
    }

    func flush() {
        unflushed = false
        passOn()
        channel.flush()
    }

    // MARK: End

    /// Sends the last stanza and ends by the closing rule: the client's Close is awaited for 1–2 s, then the server closes.
    /// `abrupt` closes at once.
    package func end(with last: Stanza?, abrupt: Bool = false) {
        guard isOpen else { return }
        if let last { write(last) }
        let before = phase
        phase = .ending
        settled()
        switch before {
        case .registering(let session): world.registrationClosed(session)
        case .loggedIn(let device): world.connectionLost(device, self)
        case .opened, .answered, .ending, .closed: break
        }
        let delay = abrupt ? 0 : max(1_000, world.settings.closeDelay)
        SandboxActor.loop.scheduleTask(in: .milliseconds(Int64(delay))) { [weak self] in
            SandboxActor.run { self?.finishClose(code: .normalClosure) }
        }
    }

    /// Sends a Close frame and ends the TCP connection.
    package func close(code: CloseCode) {
        guard isOpen else { return }
        end(with: nil, abrupt: true)
        finishClose(code: code)
    }

    private func finishClose(code: CloseCode) {
        if case .closed = phase { return }
        passOn()
        channel.writeAndFlush(ChatSocketHandler.Outbound.close(code), promise: nil)
    }

    /// Ends the TCP connection without a word: what a failed handshake gets.
    func abort() {
        guard isOpen else { return }
        channel.close(promise: nil)
    }

    /// Ends the TCP connection with RST.
    package func reset() {
        guard isOpen else { return }
        channel.triggerUserOutboundEvent(ChatSocketHandler.Reset(), promise: nil)
    }
}

extension NoiseTransport {
    /// Appends a frame with `stanza` sealed in place.
    fileprivate mutating func encode(_ stanza: Stanza, into buffer: inout ByteBuffer) throws {
        try FrameEncoder.encode(stanza, with: &sending, into: &buffer)
    }
}
