import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A connection that stays open between requests, for what an HTTP client hides: which connection answered, and that one
/// was closed without an answer.
final class RawConnection: Sendable {
    private let channel: any Channel
    private let answers: Answers

    private init(_ channel: any Channel, _ answers: Answers) {
        self.channel = channel
        self.answers = answers
    }

    static func open(_ port: Int) async throws -> RawConnection {
        let answers = Answers()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Reader(answers))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel, answers)
    }

    /// Sends bytes and returns what came back, once something did; nil when the server closed instead.
    func ask(_ text: String) async throws -> String? {
        answers.begin()
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        return try await eventually("an answer or the end of the connection", within: .seconds(60)) {
            if let text = self.answers.text { return .some(.some(text)) }
            return self.channel.isActive ? nil : .some(.none)
        }
    }

    /// All that came back since the last question.
    var received: String? { answers.text }

    func close() async { try? await channel.close() }

    private final class Answers: Sendable {
        private let received = Mutex<String?>(nil)

        var text: String? { received.withLock { $0 } }
        func begin() { received.withLock { $0 = nil } }
        func add(_ text: String) { received.withLock { $0 = ($0 ?? "") + text } }
    }

    private final class Reader: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        private let answers: Answers

        init(_ answers: Answers) { self.answers = answers }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            answers.add(String(buffer: unwrapInboundIn(data)))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
