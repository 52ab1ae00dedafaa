import NIOCore
import NIOWebSocket

/// Why a WebSocket ends (RFC 6455, section 7.4; from 4000 on of our own, 12-device-scoping-api, section 13).
enum WebSocketEnd: UInt16, Error, Sendable {
    case normal = 1000
    /// The node stops; another one answers.
    case goingAway = 1001
    case protocolError = 1002
    /// The client sends what this socket does not take.
    case unsupported = 1003
    case failed = 1011
    /// The device has as many streams as it may.
    case tryAgainLater = 1013
    case tokenRevoked = 4401
    case deviceDeleted = 4404
}

/// One end of a WebSocket, for who serves it. What is sent waits for the socket: a slow reader holds one message.
struct WebSocketConnection: Sendable {
    fileprivate let channel: any Channel
    /// What the client says, as far as it is JSON. A client that says more than is listened to is not heard.
    let texts: AsyncStream<JSONValue>

    /// Returns when the bytes are with the kernel. Throws once the socket is closed.
    func send(_ text: ByteBuffer) async throws {
        try await channel.writeAndFlush(WebSocketHandler.Outbound.text(text))
    }
}

/// Serves one WebSocket: runs `serve` while it is open, pings, hands on what the client says, and closes as the other side
/// does.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = Outbound
    typealias OutboundOut = WebSocketFrame
    /// Sends until it returns or throws a ``WebSocketEnd``; cancelled when the socket closes.
    typealias Serve = @Sendable (WebSocketConnection) async throws -> Void

    enum Outbound: Sendable {
        case text(ByteBuffer)
        case close(WebSocketEnd)
    }

    /// Bytes of a frame that a client may send.
    static let frameLimit = 4096
    static let pingInterval = TimeAmount.seconds(30)
    /// Time without a frame from the client after which it counts as gone.
    static let silenceLimit = TimeAmount.seconds(60)
    /// Time the client has to answer a close.
    private static let closeLimit = TimeAmount.seconds(5)
    /// Texts in a row that are no JSON.
    private static let nonsenseLimit = 3
    /// Texts of a client that wait to be answered.
    private static let textLimit = 16

    private enum State { case open, closing }

    private let serve: Serve
    private var state = State.open
    private var task: Task<Void, Never>?
    private var pings: RepeatedTask?
    private var lastHeard = NIODeadline.uptimeNanoseconds(0)
    private var nonsense = 0
    private let texts: AsyncStream<JSONValue>
    private let heardText: AsyncStream<JSONValue>.Continuation

    init(_ serve: @escaping Serve) {
        self.serve = serve
        (texts, heardText) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.textLimit))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        lastHeard = context.eventLoop.now
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        pings = context.eventLoop.scheduleRepeatedTask(
            initialDelay: Self.pingInterval, delay: Self.pingInterval, notifying: nil
        ) { _ in
            let (handler, context) = bound.value
            handler.ping(context)
        }
        task = Task { [serve, texts, channel = context.channel] in
            var end = WebSocketEnd.goingAway
            do {
                try await serve(WebSocketConnection(channel: channel, texts: texts))
            } catch {
                end = error as? WebSocketEnd ?? .failed
            }
            channel.writeAndFlush(Outbound.close(end), promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        pings?.cancel()
        heardText.finish()
        task?.cancel()
    }

    private func ping(_ context: ChannelHandlerContext) {
        guard context.eventLoop.now - lastHeard < Self.silenceLimit else { return context.close(promise: nil) }
        guard case .open = state else { return }
        let frame = WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(string: "ping"))
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        lastHeard = context.eventLoop.now
        // RFC 6455, section 5.1: what a client sends is masked.
        guard frame.maskKey != nil else { return close(.protocolError, context) }
        switch frame.opcode {
        case .text: heard(frame.unmaskedData, isWhole: frame.fin, context)
        case .binary: close(.unsupported, context)
        case .ping:
            guard case .open = state else { return }
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            if case .closing = state { context.close(promise: nil) } else { answerClose(frame.unmaskedData, context) }
        default: break
        }
    }

    private func heard(_ text: ByteBuffer, isWhole: Bool, _ context: ChannelHandlerContext) {
        guard isWhole else { return }
        if let value = try? JSONParser.parse(Array(text.readableBytesView)) {
            nonsense = 0
            heardText.yield(value)
        } else {
            nonsense += 1
            if nonsense == Self.nonsenseLimit { close(.unsupported, context) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { close(.goingAway, context) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .text(let text):
            guard case .open = state else { return promise?.fail(ChannelError.outputClosed) ?? () }
            context.write(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .text, data: text)), promise: promise)
        case .close(let end):
            close(end, context)
            promise?.succeed()
        }
    }

    private func close(_ end: WebSocketEnd, _ context: ChannelHandlerContext) {
        guard case .open = state else { return }
        state = .closing
        var data = ByteBuffer()
        data.writeInteger(end.rawValue)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: Self.closeLimit) { channel.close(promise: nil) }
    }

    private func answerClose(_ data: ByteBuffer, _ context: ChannelHandlerContext) {
        state = .closing
        let channel = context.channel
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        context.writeAndFlush(wrapOutboundOut(frame)).whenComplete { _ in channel.close(promise: nil) }
    }
}
