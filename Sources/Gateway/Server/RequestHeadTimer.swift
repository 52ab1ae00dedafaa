import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Bounds how long a client takes for the head of a request (10-rest-api, section 2.8): from the start of the connection, and
/// from the first byte of each further request. Then it is 408, or, when not a byte came, the connection just closes.
final class RequestHeadTimer: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum State {
        /// Between requests.
        case idle
        case readingHead(since: NIODeadline, hasBytes: Bool)
        case readingBody
        /// The client was too slow: what it still sends is nobody's.
        case over
    }

    private let limit: TimeAmount
    private var state: State = .idle
    private var openRequests = 0
    private var timer: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let pipeline = context.pipeline.syncOperations
        if let decoder = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self) {
            try? pipeline.addHandler(FirstByte(self), position: .before(decoder))
        }
        if context.channel.isActive { begin(hasBytes: false) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(hasBytes: false)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .over = state { return }
        switch unwrapInboundIn(data) {
        case .head:
            openRequests += 1
            state = .readingBody
        case .body: break
        case .end: state = .idle
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { openRequests -= 1 }
        context.write(data, promise: promise)
    }

    private func bytesArrived() {
        switch state {
        case .idle: begin(hasBytes: true)
        case .readingHead(let since, hasBytes: false): state = .readingHead(since: since, hasBytes: true)
        case .readingHead, .readingBody, .over: break
        }
    }

    private func begin(hasBytes: Bool) {
        guard case .idle = state, let context else { return }
        let now = context.eventLoop.now
        state = .readingHead(since: now, hasBytes: hasBytes)
        // A timer that still runs for an earlier head looks again when it fires: most heads cost no timer of their own.
        if timer == nil { schedule(now + limit, context) }
    }

    private func schedule(_ deadline: NIODeadline, _ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.fired() }
    }

    private func fired() {
        timer = nil
        guard let context, case .readingHead(let since, let hasBytes) = state else { return }
        let now = context.eventLoop.now
        if now < since + limit { return schedule(since + limit, context) }
        // The answer to an earlier request is still being made: that one comes to its end first.
        if openRequests > 0 { return schedule(now + limit, context) }
        state = .over
        if hasBytes { EarlyAnswer.send(.requestTimeout, context) } else { context.close(promise: nil) }
    }

    /// Sees bytes before they are HTTP.
    private final class FirstByte: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias InboundOut = ByteBuffer

        private let timer: RequestHeadTimer

        init(_ timer: RequestHeadTimer) { self.timer = timer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            timer.bytesArrived()
            context.fireChannelRead(data)
        }
    }
}
