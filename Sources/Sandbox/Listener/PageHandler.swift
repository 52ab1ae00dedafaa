import NIOCore
import NIOHTTP1

/// Answers what is no upgrade on the chat port: version pages, 503 for refused upgrades, 404 for the rest; then closes.
/// A socket that asks for nothing is closed after the time a handshake may take.
final class PageHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let patience = TimeAmount.seconds(20)

    private let world: @SandboxActor @Sendable (HTTPRequestHead) -> World?
    private var deadline: Scheduled<Void>?

    init(world: @escaping @SandboxActor @Sendable (HTTPRequestHead) -> World?) { self.world = world }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: Self.patience) { bound.value.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        let revision = SandboxActor.run { [world] in world(head)?.settings.clientRevision }
        write(Self.answer(to: head, revision: revision), isHead: head.method == .HEAD, context: context)
    }

    private static func answer(to head: HTTPRequestHead, revision: UInt32?) -> VersionPages.Answer {
        if head.headers.contains(name: "Upgrade") {
            return VersionPages.Answer(status: 503, contentType: "text/plain", body: "unavailable\n")
        }
        return revision.flatMap { VersionPages.answer(target: head.uri, revision: $0) }
            ?? VersionPages.Answer(status: 404, contentType: "text/plain", body: "not found\n")
    }

    private func write(_ answer: VersionPages.Answer, isHead: Bool, context: ChannelHandlerContext) {
        var body = context.channel.allocator.buffer(capacity: answer.body.utf8.count)
        body.writeString(answer.body)
        let headers: HTTPHeaders = [
            "Content-Type": answer.contentType, "Content-Length": String(body.readableBytes), "Connection": "close",
        ]
        let response = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
