import Cryptography
import NIOCore
import NIOSSL

/// All of a connection above TCP and TLS in one channel handler: websocket upgrade and frames, Noise handshake, cipher,
/// stanzas. One handler, since each costs memory for every idle device.
final class NoiseConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// The upgrade request is out; holds what came of the answer.
        case upgrading(WebSocketUpgrade, received: ByteBuffer)
        case handshaking(NoiseClientHandshake)
        case open
        /// The connection ends for this reason: a close frame is on its way, or the socket's end is awaited.
        case closing(DisconnectReason)
        case closed
    }

    /// Frames in a row without a stanza after which the connection is given up.
    private static let tolerance = 3
    /// How long what waits may take to leave when closing.
    private static let closeTimeout = TimeAmount.seconds(1)
    /// How long the server may take to close after it announced the end.
    private static let streamEndTimeout = TimeAmount.seconds(5)

    private let configuration: ConnectionConfiguration
    /// What only the way to the open connection needs; gone when it is open.
    private var setup: ConnectionSetup?
    private var handler: (any ConnectionHandler)?
    private var state = State.closed
    private var context: ChannelHandlerContext?
    private var reader = WebSocketReader()
    private var frames = FrameDecoder()
    private var transport: NoiseTransport?
    private var outgoing: OutgoingQueue
    private var masks: MaskGenerator
    private(set) var isWritable = true
    private var isReadingBurst = false
    private var isFlushScheduled = false
    private var isFlushing = false
    private var undecodable = 0
    private var wheel: TimerWheel?
    private var timer: TimerWheel.Timer?

    /// - Parameter largestWrite: most bytes given to the channel at once.
    init(
        configuration: ConnectionConfiguration, setup: ConnectionSetup, handler: any ConnectionHandler,
        largestWrite: Int
    ) {
        self.configuration = configuration
        self.setup = setup
        self.handler = handler
        outgoing = OutgoingQueue(largestWrite: largestWrite)
        masks = MaskGenerator(seed: configuration.random.bytes(8))
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        guard let setup else { return }
        self.context = context
        wheel = TimerWheel.on(context.eventLoop)
        let upgrade = WebSocketUpgrade(nonce: configuration.random.bytes(16))
        state = .upgrading(upgrade, received: ByteBuffer())
        var headers = configuration.headers
        if !configuration.userAgent.isEmpty { headers.insert(("User-Agent", configuration.userAgent), at: 0) }
        let request = upgrade.request(url: setup.url, origin: configuration.origin, headers: headers)
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReadingBurst = true
        let piece = unwrapInboundIn(data)
        do {
            if case .upgrading(let upgrade, var received) = state {
                received.writeImmutableBuffer(piece)
                state = .upgrading(upgrade, received: ByteBuffer())
                guard try upgrade.receive(&received) else {
                    state = .upgrading(upgrade, received: received)
                    return
                }
                try beginHandshake()
                if received.readableBytes > 0 { try receive(received) }
            } else {
                try receive(piece)
            }
        } catch {
            fail(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadingBurst = false
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(endReason)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(.closedByPeer(code: nil))
        self.context = nil
    }

    // MARK: Receiving

    private func receive(_ piece: ByteBuffer) throws {
        try reader.read(piece) { event in
            switch event {
            case .data(let data):
                try frames.decode(data) { try receive(frame: $0) }
            case .ping(let payload):
                writeFrame(.pong, payload)
            case .pong: break
            case .close(let code):
                closeByPeer(code)
            }
        }
    }

    private func receive(frame: ByteBuffer) throws {
        switch state {
        case .handshaking(var handshake):
            guard frame.readableBytes > 0 else { throw FrameError.emptyFrame }
            try finishHandshake(&handshake, Bytes(frame.readableBytesView))
        case .open, .closing(.failure), .closing(.streamError), .closing(.streamEnded):
            try receive(sealed: frame)
        case .upgrading, .closing, .closed: return
        }
    }

    private func receive(sealed frame: ByteBuffer) throws {
        // The frame shares the socket's receive buffer, so it is opened in a copy of its own, which lives until the stanza
        // is read.
        var plaintext = ByteBuffer()
        plaintext.writeImmutableBuffer(frame)
        do { try transport?.receiving.open(&plaintext) } catch NoiseError.authenticationFailed {
            throw DisconnectReason.undecryptableFrame
        }
        let stanza: Stanza
        do throws(StanzaError) { stanza = try StanzaCodec.decode(frame: plaintext) } catch {
            undecodable += 1
            handler?.dropped(error, count: undecodable)
            if undecodable >= NoiseConnectionHandler.tolerance { throw DisconnectReason.malformedStanzas }
            return
        }
        undecodable = 0
        handler?.received(stanza)
        switch stanza.tag {
        case "failure": close(reason: .failure(LoginFailure(stanza)))
        case "stream:error": close(reason: .streamError(StreamFault(stanza)))
        case "xmlstreamend": awaitStreamEnd()
        default: break
        }
    }

    // MARK: Handshake

    private func beginHandshake() throws {
        guard var setup else { return }
        setup.upgraded.succeed()
        let hello = setup.handshake.clientHello()
        state = .handshaking(setup.handshake)
        setTimer(after: configuration.handshakeTimeout) { handler in handler.fail(ConnectFailure.timedOut) }
        var message = ByteBuffer(bytes: Intro.bytes(routingInfo: setup.routingInfo))
        try FrameEncoder.encode(hello, into: &message)
        writeFrame(.binary, message)
        flush()
    }

    private func finishHandshake(_ handshake: inout NoiseClientHandshake, _ serverHello: Bytes) throws {
        guard let context, let setup = setup.take() else { return }
        func giveUp(_ failure: ConnectFailure) {
            setup.connected.fail(failure)
            state = .closing(.connectFailed(failure))
            context.close(promise: nil)
        }
        guard handler?.isWanted == true else { return giveUp(.unwanted) }
        let finish: Bytes
        do {
            finish = try handshake.receive(
                serverHello: serverHello, payload: setup.payload, now: configuration.unixTime())
            transport = try NoiseTransport(handshake.transportKeys())
        } catch {
            return giveUp(.handshake(error))
        }
        clearTimer()
        state = .open
        var message = ByteBuffer()
        try FrameEncoder.encode(finish, into: &message)
        writeFrame(.binary, message)
        flush()
        let connection = NoiseConnection(channel: context.channel, handler: self)
        handler?.connected(connection)
        setup.connected.succeed(connection)
    }

    // MARK: Sending

    func send(_ stanza: Stanza, promise: EventLoopPromise<Void>?) {
        guard case .open = state, transport != nil else {
            promise?.fail(endReason)
            return
        }
        // A frame of any size is taken while few bytes wait before it.
        guard outgoing.outstanding <= OutgoingQueue.limit else {
            promise?.fail(DisconnectReason.outgoingOverflow)
            return fail(DisconnectReason.outgoingOverflow)
        }
        do {
            try StanzaCodec.withEncoded(stanza, prefix: 1) { plaintext in
                Result { try write(plaintext, promise: promise) }
            }.get()
        } catch let error as StanzaError {
            promise?.fail(error)
        } catch {
            promise?.fail(error)
            fail(error)
        }
    }

    private func write(_ plaintext: UnsafeBufferPointer<UInt8>, promise: EventLoopPromise<Void>?) throws {
        let mask = masks.next()
        try outgoing.append(promise: promise) { buffer in
            try WebSocketFrameWriter.write(
                .binary, count: FrameEncoder.size(plaintext: plaintext.count), mask: mask, into: &buffer
            ) { buffer in
                guard transport != nil else { throw NoiseError.outOfOrder }
                try transport?.sending.seal(frame: plaintext, into: &buffer)
            }
        }
        bytesEnqueued()
    }

    /// Enqueues a websocket frame with `payload`.
    private func writeFrame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        let mask = masks.next()
        outgoing.append(promise: nil) { buffer in
            WebSocketFrameWriter.write(opcode, count: payload.readableBytes, mask: mask, into: &buffer) {
                $0.writeImmutableBuffer(payload)
            }
        }
        bytesEnqueued()
    }

    private func bytesEnqueued() {
        if isWritable, outgoing.outstanding > OutgoingQueue.highWater {
            isWritable = false
            if case .open = state {
                setTimer(after: configuration.writeTimeout) { $0.fail(DisconnectReason.outgoingOverflow) }
            }
            handler?.writabilityChanged(false)
        }
        // Frames written while handling what arrived leave together at its end, others at the end of this turn of the loop.
        guard !isReadingBurst, !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    private func flush() {
        guard !isFlushing, let context else { return }
        isFlushing = true
        defer { isFlushing = false }
        while let bytes = outgoing.nextWrite() {
            let written = context.eventLoop.makePromise(of: Void.self)
            written.futureResult.assumeIsolated().whenSuccess { self.bytesAccepted() }
            context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
        }
    }

    private func bytesAccepted() {
        for promise in outgoing.writeAccepted() { promise.succeed() }
        if !isWritable, outgoing.outstanding < OutgoingQueue.lowWater {
            isWritable = true
            if case .open = state { clearTimer() }
            handler?.writabilityChanged(true)
        }
        flush()
        if case .closing(let reason) = state, outgoing.outstanding == 0, reason != .streamEnded {
            context?.close(promise: nil)
        }
    }

    var outgoingBytes: Int { outgoing.outstanding }

    func setReading(_ isReading: Bool) {
        context?.channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
    }

    // MARK: Ending

    /// Sends what waits and a close frame, then closes.
    func close(reason: DisconnectReason) {
        switch state {
        case .open, .closing(.streamEnded):
            state = .closing(reason)
            var payload = ByteBuffer()
            payload.writeInteger(WebSocketCloseCode.normal)
            setTimer(after: NoiseConnectionHandler.closeTimeout) { $0.context?.close(promise: nil) }
            writeFrame(.close, payload)
            flush()
        case .upgrading, .handshaking:
            fail(ConnectFailure.closed)
        case .closing, .closed: return
        }
    }

    /// The server said that the stream ends: what it still sends is handled, then the socket's end.
    private func awaitStreamEnd() {
        guard case .open = state else { return }
        state = .closing(.streamEnded)
        setTimer(after: NoiseConnectionHandler.streamEndTimeout) { $0.context?.close(promise: nil) }
    }

    /// The peer's close frame is answered at once, then the socket closed.
    private func closeByPeer(_ code: UInt16?) {
        switch state {
        case .open: state = .closing(.closedByPeer(code: code))
        case .closing(.streamEnded), .handshaking: break
        case .upgrading, .closing, .closed: return
        }
        var payload = ByteBuffer()
        if let code { payload.writeInteger(code) }
        writeFrame(.close, payload)
        isReadingBurst = false
        flush()
        context?.close(promise: nil)
    }

    /// Ends the connection because of `error`, without ceremony.
    private func fail(_ error: any Error) {
        switch state {
        case .upgrading, .handshaking:
            let failure = ConnectFailure(setup: error)
            setup.take().map { setup in
                setup.upgraded.fail(failure)
                setup.connected.fail(failure)
            }
            state = .closing(.connectFailed(failure))
        case .open, .closing(.streamEnded):
            state = .closing(DisconnectReason(socket: error))
        case .closing: break
        case .closed: return
        }
        context?.close(promise: nil)
    }

    /// The socket is gone. Completes everything once.
    private func finish(_ reason: DisconnectReason) {
        if case .closed = state { return }
        state = .closed
        clearTimer()
        wheel = nil
        for promise in outgoing.removeAll() { promise.fail(reason) }
        transport = nil
        let handler = handler.take()
        if let setup = setup.take() {
            let failure = if case .connectFailed(let failure) = reason { failure } else { ConnectFailure.closed }
            setup.upgraded.fail(failure)
            setup.connected.fail(failure)
        } else if case .connectFailed = reason {
            return
        } else {
            handler?.closed(reason: reason)
        }
    }

    /// Why sends fail now.
    private var endReason: DisconnectReason {
        if case .closing(let reason) = state { reason } else { .closedByPeer(code: nil) }
    }

    // MARK: Timer

    /// The one timer, for whatever the state waits for.
    private func setTimer(after amount: TimeAmount, _ action: @escaping (NoiseConnectionHandler) -> Void) {
        clearTimer()
        guard let wheel else { return }
        let timer = TimerWheel.Timer { [weak self] in
            guard let self else { return }
            self.timer = nil
            action(self)
        }
        self.timer = timer
        wheel.set(timer, after: amount)
    }

    private func clearTimer() {
        if let timer = timer.take() { wheel?.cancel(timer) }
    }
}
