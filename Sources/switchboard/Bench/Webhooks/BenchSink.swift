import NIOCore
import NIOHTTP1
import NIOPosix

/// A customer's endpoint for measurements: hands each body on and answers as it is told.
final class BenchSink: Sendable {
    /// 200, 500, a closed connection, or nothing.
    enum Answer: Sendable { case taken, failed, reset, hang }

    private let channel: any Channel
    let url: String

    private init(_ channel: any Channel) {
        self.channel = channel
        url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/hook"
    }

    /// - Parameter receive: called with each body, on any event loop.
    static func start(
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        _ receive: @escaping @Sendable (ByteBuffer) -> Answer
    ) async throws -> BenchSink {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(Handler(receive))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return BenchSink(channel)
    }

    func stop() async { try? await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let receive: @Sendable (ByteBuffer) -> Answer
        private var body = ByteBuffer()

        init(_ receive: @escaping @Sendable (ByteBuffer) -> Answer) { self.receive = receive }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head: body.clear()
            case .body(var part): body.writeBuffer(&part)
            case .end:
                switch receive(body) {
                case .hang: break
                case .reset: context.close(promise: nil)
                case .taken: answer(.ok, context)
                case .failed: answer(.internalServerError, context)
                }
            }
        }

        private func answer(_ status: HTTPResponseStatus, _ context: ChannelHandlerContext) {
            let head = HTTPResponseHead(
                version: .http1_1, status: status, headers: HTTPHeaders([("content-length", "0")]))
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// What is read of a body without parsing it whole.
enum BenchBody {
    /// The number behind `"name":`, or nil.
    static func number(_ name: String, in body: ByteBuffer) -> Int64? {
        let key = Array("\"\(name)\":".utf8)
        let view = body.readableBytesView
        guard let found = view.firstRange(of: key) else { return nil }
        var value: Int64 = 0
        for byte in view[found.upperBound...] {
            guard (0x30...0x39).contains(byte) else { break }
            value = value &* 10 &+ Int64(byte - 0x30)
        }
        return value
    }

    /// The text behind `"event_id":"`, or nil.
    static func eventID(in body: ByteBuffer) -> String? {
        let view = body.readableBytesView
        guard let found = view.firstRange(of: Array("\"event_id\":\"".utf8)) else { return nil }
        let rest = view[found.upperBound...]
        return String(decoding: rest.prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }
}
