import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// A customer's endpoint that answers every delivery with 200 and tells how old the message in it was.
final class LoadSink: @unchecked Sendable {
    // Unchecked: everything that changes is touched on `loop` alone.
    /// Stands before the time of sending, nanoseconds of the monotonic clock, in the text of a message.
    static let mark: StaticString = "sent-at-"

    private let loop: any EventLoop
    private var channel: (any Channel)?
    private var latencies = Latencies()
    private var lastArrival = NIODeadline.now()

    private init(_ loop: any EventLoop) { self.loop = loop }

    static func start() async throws -> LoadSink {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let sink = LoadSink(loop)
        let channel = try await ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(sink))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        try await loop.submit { sink.channel = channel }.get()
        return sink
    }

    var url: String {
        get async throws {
            try await loop.submit { "http://127.0.0.1:\(self.channel?.localAddress?.port ?? 0)/hook" }.get()
        }
    }

    var count: Int { get async throws { try await loop.submit { self.latencies.count }.get() } }

    /// What arrived since the last call, and when the last of it did.
    func take() async throws -> (Latencies, NIODeadline) {
        try await loop.submit {
            defer { self.latencies = Latencies() }
            return (self.latencies, self.lastArrival)
        }.get()
    }

    func stop() async {
        try? await loop.flatSubmit { self.channel?.close() ?? self.loop.makeSucceededVoidFuture() }.get()
    }

    private func arrived(_ body: ByteBuffer) {
        let now = NIODeadline.now()
        let sent = body.withUnsafeReadableBytes { bytes -> UInt64? in
            guard let mark = bytes.firstOffset(of: Self.mark) else { return nil }
            let start = mark + Self.mark.utf8CodeUnitCount
            return bytes[start...].prefix { (0x30...0x39).contains($0) }.reduce(0) { $0 &* 10 &+ UInt64($1 - 0x30) }
        }
        guard let sent else { return }
        lastArrival = now
        latencies.add(Int64(clamping: now.uptimeNanoseconds) - Int64(clamping: sent))
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let sink: LoadSink
        private var body = ByteBuffer()

        init(_ sink: LoadSink) { self.sink = sink }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head: body.clear()
            case .body(let bytes): body.writeImmutableBuffer(bytes)
            case .end:
                let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-length": "0"])
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                sink.arrived(body)
            }
        }
    }
}
