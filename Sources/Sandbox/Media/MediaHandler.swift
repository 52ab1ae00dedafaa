import Cryptography
import NIOCore
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One connection to the media server: collects a request, lets the world answer it, writes the answer as the fault rules
/// let it.
final class MediaHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let worlds: @SandboxActor @Sendable (String) -> World?
    private var head: HTTPRequestHead?
    private var request: MediaRequest?
    private var body = ByteBuffer()
    private var limit = 0
    private var isRefused = false

    init(worlds: @escaping @SandboxActor @Sendable (String) -> World?) { self.worlds = worlds }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head)
        case .body(var piece):
            guard !isRefused else { return }
            guard body.readableBytes + piece.readableBytes <= limit else {
                isRefused = true
                body = ByteBuffer()
                return
            }
            body.writeBuffer(&piece)
        case .end: finish(context: context)
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        self.head = head
        let request = MediaRequest(
            method: head.method.rawValue, target: head.uri, range: head.headers.first(name: "Range"),
            host: head.headers.first(name: "Host"))
        self.request = request
        body = ByteBuffer()
        isRefused = false
        let name = request.world ?? "default"
        limit = SandboxActor.run { [worlds] in worlds(name)?.settings.mediaSizeLimit ?? 0 }
    }

    private func finish(context: ChannelHandlerContext) {
        guard let head, var request else { return }
        self.head = nil
        self.request = nil
        let keepAlive = head.isKeepAlive
        let isHead = head.method == .HEAD
        if isRefused {
            return write(
                .text(413, "too large"), plan: MediaFaultPlan(), isHead: isHead, keepAlive: false, context: context)
        }
        request.body = Bytes(buffer: body)
        body = ByteBuffer()
        let complete = request
        let reply = SandboxActor.run { [worlds] () -> (MediaAnswer, MediaFaultPlan)? in
            guard let world = worlds(complete.world ?? "default") else { return (.text(404, "no such world"), .init()) }
            let plan = world.faultPlan(for: complete)
            if plan.isDropped { return nil }
            if let answer = plan.replacement { return (answer, plan) }
            return (world.answer(media: complete), plan)
        }
        guard let (answer, plan) = reply else { return }
        guard plan.delay > 0 else {
            return write(answer, plan: plan, isHead: isHead, keepAlive: keepAlive, context: context)
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(Int64(plan.delay))) {
            let (handler, context) = bound.value
            guard context.channel.isActive else { return }
            handler.write(answer, plan: plan, isHead: isHead, keepAlive: keepAlive, context: context)
        }
    }

    private func write(
        _ answer: MediaAnswer, plan: MediaFaultPlan, isHead: Bool, keepAlive: Bool, context: ChannelHandlerContext
    ) {
        if plan.isReset { return reset(context: context) }
        var headers = HTTPHeaders(answer.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        headers.replaceOrAdd(name: "Content-Length", value: String(answer.body.count))
        headers.replaceOrAdd(name: "Access-Control-Allow-Origin", value: "*")
        let closes = !keepAlive || plan.isTruncated
        if closes { headers.replaceOrAdd(name: "Connection", value: "close") }
        context.write(
            wrapOutboundOut(
                .head(
                    HTTPResponseHead(
                        version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers))),
            promise: nil)
        var bytes = isHead ? [] : answer.body
        if plan.isCorrupt, !bytes.isEmpty { bytes[bytes.count / 2] ^= 0x55 }
        if plan.isTruncated {
            context.writeAndFlush(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes.prefix(bytes.count / 2))))), promise: nil)
            return context.close(promise: nil)
        }
        if let speed = plan.bytesPerSecond, !bytes.isEmpty {
            return drip(bytes[...], speed: speed, closes: closes, context: context)
        }
        if !bytes.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
        }
        end(closes: closes, context: context)
    }

    private func end(closes: Bool, context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            if closes { bound.value.close(promise: nil) }
        }
    }

    /// A tenth of `speed` bytes every tenth of a second.
    private func drip(_ bytes: ArraySlice<UInt8>, speed: Int, closes: Bool, context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        guard !bytes.isEmpty else { return end(closes: closes, context: context) }
        let piece = bytes.prefix(max(1, speed / 10))
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: piece)))), promise: nil)
        let rest = bytes.dropFirst(piece.count)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(100)) {
            bound.value.0.drip(rest, speed: speed, closes: closes, context: bound.value.1)
        }
    }

    /// Lingering zero seconds makes the kernel drop the connection with RST.
    private func reset(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        guard let socket = context.channel as? any SocketOptionProvider else { return context.close(promise: nil) }
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in bound.value.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
