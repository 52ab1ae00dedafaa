import Cryptography
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A customer's endpoint: takes POSTs on loopback, keeps them, and answers as it is told.
package final class WebhookSink: Sendable {
    package struct Delivery: Sendable {
        package let headers: HTTPHeaders
        package let body: [UInt8]

        package var json: JSON { (try? JSON(body)) ?? .null }
        package var event: String { json["event_type"].string ?? "" }

        package func header(_ name: String) -> String? { headers.first(name: name) }

        /// Whether both signatures were made with `secret` over these very bytes.
        package func isSigned(with secret: String) -> Bool {
            let id = headers.first(name: "webhook-id") ?? ""
            let time = headers.first(name: "webhook-timestamp") ?? ""
            let reference = "sha256=" + Hex.encode(HMACSHA256.authenticate(body, key: Array(secret.utf8)))
            let content = Array("\(id).\(time).".utf8) + body
            let standard = "v1," + Base64.encode(HMACSHA256.authenticate(content, key: Array(secret.utf8)))
            return headers.first(name: "X-Webhook-Signature") == reference
                && headers.first(name: "X-Hub-Signature-256") == reference
                && headers.first(name: "webhook-signature") == standard
        }
    }

    private let channel: any Channel
    private let state: Box

    final class Box: Sendable {
        let deliveries = Mutex<[Delivery]>([])
        let failures = Mutex(0)
    }

    package var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/hook" }
    package var deliveries: [Delivery] { state.deliveries.withLock { $0 } }

    private init(channel: any Channel, state: Box) {
        self.channel = channel
        self.state = state
    }

    package static func start() async throws -> WebhookSink {
        let state = Box()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(state: state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return WebhookSink(channel: channel, state: state)
    }

    /// Answers the next `count` deliveries with 500.
    package func fail(next count: Int) { state.failures.withLock { $0 = count } }

    package func stop() async throws { try await channel.close() }

    /// The first delivery of `event` that `matches`.
    package func delivery(of event: String, where matches: @escaping @Sendable (Delivery) -> Bool = { _ in true })
        async throws
        -> Delivery
    {
        try await eventually("a webhook \(event)") { deliveries.first { $0.event == event && matches($0) } }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let state: Box
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(state: Box) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = []
            case .body(let buffer): body.append(contentsOf: buffer.readableBytesView)
            case .end:
                let isFailure = state.failures.withLock { left in
                    defer { left = max(0, left - 1) }
                    return left > 0
                }
                if !isFailure, let head {
                    state.deliveries.withLock { $0.append(Delivery(headers: head.headers, body: body)) }
                }
                let status: HTTPResponseStatus = isFailure ? .internalServerError : .ok
                let response = HTTPResponseHead(version: .http1_1, status: status, headers: ["content-length": "0"])
                context.write(wrapOutboundOut(.head(response)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
