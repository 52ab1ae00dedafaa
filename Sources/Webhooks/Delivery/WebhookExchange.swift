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

    package var description: String {
        switch self {
        case .connect(let reason): "connection failed: \(reason)"
        case .timeout: "timed out"
        case .closedEarly: "connection closed before the answer"
        case .malformedResponse: "answer is not HTTP"
        }
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

    func begin(_ promise: EventLoopPromise<WebhookResponse>) {
        guard case .idle = state else { return promise.fail(WebhookTransportError.closedEarly) }
        state = .waiting(promise)
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
        fail(
            error is HTTPParserError
                ? WebhookTransportError.malformedResponse : WebhookTransportError.connect("\(error)"))
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
