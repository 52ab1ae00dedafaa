import NIOConcurrencyHelpers
import NIOCore

/// The connections of a listener, so that a shutdown is not at the mercy of a client that keeps its end open.
final class OpenConnections: Sendable {
    private let channels = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])

    /// For the pipeline of each connection.
    func handler() -> any RemovableChannelHandler { Handler(self) }

    func closeAll() {
        let open = channels.withLockedValue { Array($0.values) }
        for channel in open { channel.close(promise: nil) }
    }

    private func add(_ channel: any Channel) {
        channels.withLockedValue { $0[ObjectIdentifier(channel)] = channel }
    }

    private func remove(_ channel: any Channel) {
        channels.withLockedValue { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    private final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny

        private let connections: OpenConnections

        init(_ connections: OpenConnections) { self.connections = connections }

        func handlerAdded(context: ChannelHandlerContext) { connections.add(context.channel) }
        func handlerRemoved(context: ChannelHandlerContext) { connections.remove(context.channel) }
    }
}
