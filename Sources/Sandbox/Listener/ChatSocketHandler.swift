import Cryptography
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
import NIOCore
import NIOWebSocket

/// The WebSocket close codes the sandbox uses.
package struct CloseCode: Sendable, Equatable {
    package let number: UInt16
    package init(codeNumber: Int) { number = UInt16(clamping: codeNumber) }
    package static let normalClosure = CloseCode(codeNumber: 1000)
}

/// Between WebSocket frames and a ``ClientConnection``: joins fragments, answers pings and closes, ignores text.
final class ChatSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = Outbound
    typealias OutboundOut = WebSocketFrame

    enum Outbound: Sendable {
        /// One binary message.
        case binary(ByteBuffer)
        /// A Close frame, then the end of the TCP connection.
        case close(CloseCode)
    }

    /// Outbound event: end the TCP connection with RST.
    struct Reset: Sendable {}

    /// Real clients never fragment beyond a frame of the protocol.
    private static let messageLimit = 1 << 24 + 7

    private let connection: ClientConnection
    private var fragments: ByteBuffer?
    private var fragmentsAreBinary = false
    private var closeSent = false

    init(connection: ClientConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        SandboxActor.run { [connection] in connection.opened() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary, .text:
            if frame.fin {
                if frame.opcode == .binary { deliver(frame.unmaskedData) }
            } else {
                fragments = frame.unmaskedData
                fragmentsAreBinary = frame.opcode == .binary
            }
        case .continuation:
            guard var joined = fragments else { return }
            fragments = nil
            var piece = frame.unmaskedData
            guard joined.readableBytes + piece.readableBytes <= Self.messageLimit else {
                context.close(promise: nil)
                return
            }
            joined.writeBuffer(&piece)
            if frame.fin {
                if fragmentsAreBinary { deliver(joined) }
            } else {
                fragments = joined
            }
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            answerClose(context: context, data: frame.unmaskedData)
        default: break
        }
    }

    private func deliver(_ data: ByteBuffer) {
        SandboxActor.run { [connection] in connection.receive(data) }
    }

    private func answerClose(context: ChannelHandlerContext, data: ByteBuffer) {
        guard !closeSent else {
            context.close(promise: nil)
            return
        }
        closeSent = true
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(frame)).whenComplete { _ in bound.value.close(promise: nil) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .binary(let buffer):
            guard !closeSent else {
                promise?.fail(ChannelError.outputClosed)
                return
            }
            context.write(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .binary, data: buffer)), promise: promise)
        case .close(let code):
            guard !closeSent else {
                promise?.succeed()
                return
            }
            closeSent = true
            var data = context.channel.allocator.buffer(capacity: 2)
            data.writeInteger(code.number)
            let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(frame)).whenComplete { _ in bound.value.close(promise: nil) }
            promise?.succeed()
        }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is Reset else {
            context.triggerUserOutboundEvent(event, promise: promise)
            return
        }
        // Lingering zero seconds makes the kernel drop the connection with RST.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        guard let socket = context.channel as? any SocketOptionProvider else {
            context.close(promise: promise)
            return
        }
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in bound.value.close(promise: promise) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        SandboxActor.run { [connection] in connection.channelClosed() }
        context.fireChannelInactive()
    }
}
