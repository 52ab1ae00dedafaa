import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Answers bytes that are no HTTP: 431 for headers above the limits, else 400, with the envelope; then the connection
/// closes (10-rest-api, section 2.8).
///
/// Sits between the decoder and the server. While an answer is being written it stays out of the way.
final class ParserErrorResponder: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var openRequests = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) { openRequests += 1 }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { openRequests -= 1 }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, openRequests == 0 else { return context.fireErrorCaught(error) }
        let isOverflow = (error as? HTTPParserError) == .headerOverflow
        EarlyAnswer.send(isOverflow ? .headersTooLarge : .badRequest, context)
    }
}
