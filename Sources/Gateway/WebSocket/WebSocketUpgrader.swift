import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// Makes a WebSocket of an HTTP connection once the answer 101 went out. The request itself comes through the edge like any
/// other, with its authentication, limits and log line.
///
/// Sits between the decoder and the server. The server's own end of the connection stays where it is and hears nothing until
/// the connection closes.
final class WebSocketUpgrader: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Who serves the socket when the next answer is a 101.
    private var serve: WebSocketHandler.Serve?

    /// Says what to do with the connection of `channel` after its next answer. False where there is no upgrader.
    static func expect(_ serve: @escaping WebSocketHandler.Serve, on channel: any Channel) async -> Bool {
        let isExpected = channel.eventLoop.submit {
            let upgrader = try channel.pipeline.syncOperations.handler(type: WebSocketUpgrader.self)
            upgrader.serve = serve
        }
        return (try? await isExpected.get()) != nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let serve else { return context.write(data, promise: promise) }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            // An answer 101 has no body, and none of its headers.
            head.headerFields[.contentLength] = nil
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: promise?.succeed()
        case .end:
            self.serve = nil
            promise?.succeed()
            context.flush()
            // After the handlers that this very part still passes.
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.execute {
                let (upgrader, context) = bound.value
                upgrader.upgrade(context, serve)
            }
        }
    }

    private func upgrade(_ context: ChannelHandlerContext, _ serve: @escaping WebSocketHandler.Serve) {
        let pipeline = context.pipeline.syncOperations
        do {
            let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self)
            // Before all that reads HTTP, also what cannot be removed: the handler below lets nothing through.
            try pipeline.addHandlers(
                [
                    WebSocketFrameEncoder(),
                    ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: WebSocketHandler.frameLimit)),
                    WebSocketProtocolErrorHandler(), WebSocketHandler(serve),
                ], position: .before(decoder.handler))
            for place in [
                try pipeline.context(handlerType: HTTPResponseEncoder.self), decoder,
                try pipeline.context(handlerType: HTTP1ToHTTPServerCodec.self),
                try pipeline.context(handlerType: RequestHeadTimer.self),
                try pipeline.context(handlerType: ParserErrorResponder.self),
                try pipeline.context(handlerType: HTTPConnectionStateHandler.self), context,
            ] {
                pipeline.removeHandler(context: place, promise: nil)
            }
        } catch {
            context.close(promise: nil)
        }
    }
}
