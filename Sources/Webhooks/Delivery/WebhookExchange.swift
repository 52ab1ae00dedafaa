import Foundation
import NIOCore
import NIOHTTP1

/// What an endpoint answered, as far as the delivery log keeps it.
package struct WebhookResponse: Sendable, Equatable {
    package let status: Int
    /// Seconds from now that `Retry-After` asks for, given in seconds or as a date.
    package let retryAfter: Int?
    /// The first bytes of the body, at most `WebhookExchange.keptBytes`.
    package let head: [UInt8]
}

/// Why no answer was had.
package enum WebhookTransportError: Error, Equatable, CustomStringConvertible {
    case connect(String), timeout, closedEarly, malformedResponse
    /// More than `ResponseLimit.bytes` came and the answer was not over.
    case tooLarge

    package var description: String {
        switch self {
        case .connect(let reason): "connection failed: \(reason)"
        case .timeout: "timed out"
        case .closedEarly: "connection closed before the answer"
        case .malformedResponse: "answer is not HTTP"
        case .tooLarge: "answer is too large"
        }
    }
}

/// Bounds what an endpoint can make us hold: heads without end are bytes like others. Stands before the HTTP decoder, confined to
/// its channel's event loop.
final class ResponseLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Of one answer with its interim ones; more than ``WebhookExchange/drainedBytes`` of a body end it before.
    static let bytes = 256 * 1024

    private var received = 0

    /// The next answer begins.
    func reset() { received = 0 }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytes
        guard received <= Self.bytes else { return context.fireErrorCaught(WebhookTransportError.tooLarge) }
        context.fireChannelRead(data)
    }
}

/// One connection's handler: sends a request, hands out its answer, and says whether the connection can be used again.
/// Confined to its channel's event loop.
final class WebhookExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Body bytes kept for the log; the rest is read up to `drainedBytes` and dropped.
    static let keptBytes = 1024
    static let drainedBytes = 64 * 1024

    private enum State {
        case idle
        case waiting(EventLoopPromise<WebhookResponse>)
        case reading(EventLoopPromise<WebhookResponse>, HTTPResponseHead, kept: [UInt8], total: Int)
        case closed
    }

    private var state = State.idle
    private(set) var isReusable = true
    private let limit: ResponseLimit

    init(_ limit: ResponseLimit) { self.limit = limit }

    func begin(_ promise: EventLoopPromise<WebhookResponse>) {
        guard case .idle = state else { return promise.fail(WebhookTransportError.closedEarly) }
        state = .waiting(promise)
        limit.reset()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .waiting(let promise)):
            guard head.status.code >= 200 else { return }
            isReusable = head.isKeepAlive
            state = .reading(promise, head, kept: [], total: 0)
        case (.body(let buffer), .reading(let promise, let head, var kept, let total)):
            kept.append(contentsOf: buffer.readableBytesView.prefix(Self.keptBytes - kept.count))
            let read = total + buffer.readableBytes
            state = .reading(promise, head, kept: kept, total: read)
            if read > Self.drainedBytes {
                isReusable = false
                finish(context)
                context.close(promise: nil)
            }
        case (.end, .reading):
            finish(context)
        default:
            break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(WebhookTransportError.closedEarly)
        state = .closed
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as WebhookTransportError: fail(error)
        case is HTTPParserError: fail(WebhookTransportError.malformedResponse)
        default: fail(WebhookTransportError.connect("\(error)"))
        }
        context.close(promise: nil)
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard case .reading(let promise, let head, let kept, _) = state else { return }
        state = .idle
        let retryAfter = head.headers.first(name: "retry-after").flatMap { RetryAfter.seconds($0, now: Date()) }
        promise.succeed(WebhookResponse(status: Int(head.status.code), retryAfter: retryAfter, head: kept))
    }

    private func fail(_ error: any Error) {
        isReusable = false
        switch state {
        case .waiting(let promise), .reading(let promise, _, _, _): promise.fail(error)
        case .idle, .closed: break
        }
        state = .closed
    }
}

/// The header `Retry-After`: seconds, or an HTTP date.
enum RetryAfter {
    /// Seconds from `now`, at least 0; nil for a text that is neither form.
    static func seconds(_ text: String, now: Date) -> Int? {
        if let seconds = Int(text) { return seconds >= 0 ? seconds : nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        guard let date = formatter.date(from: text) else { return nil }
        return max(0, Int(min(date.timeIntervalSince(now), 86_400 * 366)))
    }
}
