import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// A customer's endpoint for measurements: hands each body on and answers as it is told.
final class BenchSink: Sendable {
    /// 200 at once or after a time, 500, a closed connection, or nothing.
    enum Answer: Sendable {
        case taken, failed, reset, hang
        case late(TimeAmount)
    }

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
                case .late(let time):
                    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                    context.eventLoop.scheduleTask(in: time) {
                        let (handler, context) = bound.value
                        if context.channel.isActive { handler.answer(.ok, context) }
                    }
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
        body.withUnsafeReadableBytes { bytes in
            guard let start = end(of: "\"\(name)\":", in: bytes) else { return nil }
            var value: Int64 = 0
            for byte in bytes[start...] {
                guard (0x30...0x39).contains(byte) else { break }
                value = value &* 10 &+ Int64(byte - 0x30)
            }
            return value
        }
    }

    /// The text behind `"event_id":"`, or nil.
    static func eventID(in body: ByteBuffer) -> String? {
        body.withUnsafeReadableBytes { bytes in
            guard let start = end(of: "\"event_id\":\"", in: bytes) else { return nil }
            return String(decoding: bytes[start...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
        }
    }

    /// Where the bytes behind `text` begin; nil when it is not there. The search must not cost what is measured.
    private static func end(of text: String, in bytes: UnsafeRawBufferPointer) -> Int? {
        let key = Array(text.utf8)
        guard let base = bytes.baseAddress, bytes.count >= key.count else { return nil }
        for start in 0...bytes.count - key.count where memcmp(base + start, key, key.count) == 0 {
            return start + key.count
        }
        return nil
    }
}
