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

        package init(headers: HTTPHeaders, body: [UInt8]) {
            self.headers = headers
            self.body = body
        }

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

    /// What an endpoint does with a request.
    package enum Behaviour: Sendable {
        case status(Int, headers: [(String, String)] = [], body: String = "")
        /// 200 after so long.
        case late(milliseconds: Int64)
        /// Never answers.
        case hang
        /// Closes the connection without an answer.
        case reset
    }

    final class Box: Sendable {
        let deliveries = Mutex<[Delivery]>([])
        let refused = Mutex<[Delivery]>([])
        let behaviour = Mutex<@Sendable (Delivery) -> Behaviour>({ _ in .status(200) })
        let connections = Mutex(0)
        let channels = Mutex<[any Channel]>([])
    }

    package var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/hook" }
    package var port: Int { channel.localAddress?.port ?? 0 }
    /// Requests answered with 2xx.
    package var deliveries: [Delivery] { state.deliveries.withLock { $0 } }
    /// Requests that came and were answered otherwise, or not.
    package var refused: [Delivery] { state.refused.withLock { $0 } }
    /// Connections that were ever made.
    package var connections: Int { state.connections.withLock { $0 } }

    private init(channel: any Channel, state: Box) {
        self.channel = channel
        self.state = state
    }

    package static func start() async throws -> WebhookSink {
        let state = Box()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                state.connections.withLock { $0 += 1 }
                state.channels.withLock { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(state: state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return WebhookSink(channel: channel, state: state)
    }

    /// Answers the next `count` deliveries with 500.
    package func fail(next count: Int) {
        let left = Counter(count)
        behave { _ in left.take() ? .status(500) : .status(200) }
    }

    /// Says what to do with the requests that come from now on.
    package func behave(_ behaviour: @escaping @Sendable (Delivery) -> Behaviour) {
        state.behaviour.withLock { $0 = behaviour }
    }

    private final class Counter: Sendable {
        private let left: Mutex<Int>
        init(_ count: Int) { left = Mutex(count) }
        func take() -> Bool {
            left.withLock { left in
                defer { left = max(0, left - 1) }
                return left > 0
            }
        }
    }

    package func stop() async throws { try await channel.close() }

    /// Ends all connections, for requests that hang.
    package func closeConnections() {
        for channel in state.channels.withLock({ $0 }) { channel.close(promise: nil) }
    }

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
                guard let head else { return }
                let delivery = Delivery(headers: head.headers, body: body)
                let behaviour = state.behaviour.withLock { $0 }(delivery)
                switch behaviour {
                case .late(let milliseconds):
                    state.deliveries.withLock { $0.append(delivery) }
                    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                    context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
                        let (handler, context) = bound.value
                        handler.answer(200, [], "", context)
                    }
                case .hang: state.refused.withLock { $0.append(delivery) }
                case .reset:
                    state.refused.withLock { $0.append(delivery) }
                    context.close(promise: nil)
                case .status(let code, let headers, let text):
                    let isTaken = (200..<300).contains(code)
                    if isTaken {
                        state.deliveries.withLock { $0.append(delivery) }
                    } else {
                        state.refused.withLock { $0.append(delivery) }
                    }
                    answer(code, headers, text, context)
                }
            }
        }

        private func answer(
            _ code: Int, _ headers: [(String, String)], _ text: String, _ context: ChannelHandlerContext
        ) {
            var fields = HTTPHeaders([("content-length", "\(text.utf8.count)")])
            for (name, value) in headers { fields.add(name: name, value: value) }
            let status = HTTPResponseStatus(statusCode: code)
            context.write(
                wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: fields))), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
