import NIOCore

/// Runs a ``ProxyNegotiation`` on a new channel and removes itself once the tunnel is open.
final class ProxyHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var negotiation: ProxyNegotiation
    private var received = ByteBuffer()
    /// Completed once; nil afterwards.
    private var promise: EventLoopPromise<Void>?

    /// - Parameter promise: succeeds when the tunnel is open and this handler has gone, fails with ``ConnectFailure``.
    init(_ negotiation: ProxyNegotiation, promise: EventLoopPromise<Void>) {
        self.negotiation = negotiation
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        do {
            context.writeAndFlush(wrapOutboundOut(try negotiation.greeting()), promise: nil)
        } catch {
            fail(error, context: context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        do {
            while true {
                switch try negotiation.receive(&received) {
                case .wait: return
                case .send(let bytes): context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
                case .done: return finish(context: context)
                }
            }
        } catch {
            fail(error, context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.take()?.fail(ConnectFailure.proxy("closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(.proxy("\(error)"), context: context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        promise.take()?.fail(ConnectFailure.closed)
    }

    private func finish(context: ChannelHandlerContext) {
        guard let promise = promise.take() else { return }
        // A server speaks only after us, so nothing of the tunnel can be here yet.
        guard received.readableBytes == 0 else {
            promise.fail(ConnectFailure.proxy("sent bytes after its answer"))
            return context.close(promise: nil)
        }
        context.pipeline.syncOperations.removeHandler(self).cascade(to: promise)
    }

    private func fail(_ failure: ConnectFailure, context: ChannelHandlerContext) {
        promise.take()?.fail(failure)
        context.close(promise: nil)
    }
}
