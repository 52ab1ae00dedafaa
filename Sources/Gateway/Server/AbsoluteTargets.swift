import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Makes request targets that are no path plain for the edge to refuse: the framework would turn `http://host/path` into
/// `/path` without a word, and a host in a request line is one more thing that two servers can read differently.
final class AbsoluteTargets: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        guard let decoder = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self) else { return }
        try? pipeline.addHandler(Check(), position: .after(decoder))
    }

    private final class Check: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias InboundOut = HTTPServerRequestPart

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(var head) = unwrapInboundIn(data), !head.uri.hasPrefix("/") else {
                return context.fireChannelRead(data)
            }
            head.uri = "*"
            context.fireChannelRead(wrapInboundOut(.head(head)))
        }
    }
}
