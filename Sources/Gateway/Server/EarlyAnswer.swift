import Foundation
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// An answer of the connection itself, where there is no request that could have one; then the connection closes.
enum EarlyAnswer {
    /// Written from the place of `context` in the pipeline, behind the encoder.
    static func send(_ failure: APIError, _ context: ChannelHandlerContext) {
        let body = Envelope.failure(failure, status: failure.status)
        var fields = EdgeHeaders.base
        fields[.requestID] = RequestID.generate()
        fields[.connection] = "close"
        fields[.contentLength] = String(body.readableBytes)
        let head = HTTPResponse(status: .init(code: failure.status), headerFields: fields)
        context.write(NIOAny(HTTPResponsePart.head(head)), promise: nil)
        context.write(NIOAny(HTTPResponsePart.body(body)), promise: nil)
        context.writeAndFlush(NIOAny(HTTPResponsePart.end(nil)), promise: nil)
        close(context)
    }

    /// Ends the connection after what was written. Closing with unread input resets it, and an answer might be lost with
    /// that: give it a moment.
    static func close(_ context: ChannelHandlerContext) {
        let channel = context.channel
        channel.close(mode: .output, promise: nil)
        context.eventLoop.scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
    }
}
