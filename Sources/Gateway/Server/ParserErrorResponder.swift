import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Answers bytes that are no HTTP: 431 for headers above the limits, else 400, with the envelope; then the connection
/// closes (10-rest-api, section 2.8).
///
/// Sits between the decoder and the server. A request is answered once: what is wrong with its body is said by whoever reads
/// it, and one that nobody read has its answer already. What is wrong after it waits for the answers before it.
final class ParserErrorResponder: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum State {
        case reading
        /// The body of the last request is cut off: its answer is the last.
        case closing
        /// There were whole requests before the bytes that are none: their answers go first.
        case owing(APIError)
        case over
    }

    private var state: State = .reading
    private var openRequests = 0
    private var isInBody = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            openRequests += 1
            isInBody = true
        case .body: break
        case .end: isInBody = false
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch (state, unwrapOutboundIn(data)) {
        case (.over, _): promise?.succeed()
        case (.closing, .head(var head)) where openRequests == 1:
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case (_, .end):
            openRequests -= 1
            context.write(data, promise: promise)
            if openRequests == 0 { answered(context) }
        default: context.write(data, promise: promise)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else { return context.fireErrorCaught(error) }
        guard case .reading = state else { return }
        let failure = APIError(malformed: error)
        if openRequests == 0 {
            state = .over
            return EarlyAnswer.send(failure, context)
        }
        state = isInBody ? .closing : .owing(failure)
        // For whoever reads the body, and for the server to read no further.
        context.fireErrorCaught(error)
    }

    /// The last request that could be read has its answer.
    private func answered(_ context: ChannelHandlerContext) {
        switch state {
        case .reading, .over: break
        case .closing:
            state = .over
            context.flush()
            EarlyAnswer.close(context)
        case .owing(let failure):
            state = .over
            EarlyAnswer.send(failure, context)
        }
    }
}

extension APIError {
    /// Says what is wrong with bytes that are no HTTP.
    init(malformed error: HTTPParserError) {
        let message: String
        switch error {
        case .headerOverflow:
            self = .headersTooLarge
            return
        case .unexpectedContentLength: message = "Content-Length stands twice, or beside Transfer-Encoding"
        case .invalidContentLength: message = "Content-Length is not a length"
        case .invalidChunkSize: message = "the size of a chunk is not a size"
        case .invalidHeaderToken: message = "a header line is not well formed"
        case .lfExpected: message = "a line does not end with CR LF"
        case .invalidVersion: message = "the version is not HTTP/1.1"
        case .invalidMethod: message = "the method is not known"
        case .invalidURL, .invalidHost, .invalidPort, .invalidPath, .invalidQueryString, .invalidFragment:
            message = "the request target must be a path"
        default: message = APIError.badRequest.message
        }
        self.init(400, "http_bad_request", message)
    }
}
