import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import OrderedCollections

/// The chat port: HTTP/1.1, upgrades to WebSocket on any path, version pages otherwise (09, section 4).
@SandboxActor
final class ChatListener {
    private let channel: any Channel
    private let idleSweep: RepeatedTask
    private var children: [ObjectIdentifier: any Channel] = [:]

    /// Bytes of one WebSocket frame: a whole protocol frame with header and routing preamble fits.
    private nonisolated static let frameLimit = 1 << 24 + 1 << 17
    private static let backlog: Int32 = 4096

    /// The port it listens on.
    var port: Int { channel.localAddress?.port ?? 0 }

    private init(channel: any Channel, idleSweep: RepeatedTask) {
        self.channel = channel
        self.idleSweep = idleSweep
    }

    /// Binds `address`:`port` (0: any free one). Connections go to the world that `worlds` names.
    static func start(
        address: String, port: Int, worlds: @escaping @SandboxActor @Sendable (String) -> World?,
        all: @escaping @SandboxActor @Sendable () -> [World]
    ) async throws -> ChatListener {
        let bootstrap = ServerBootstrap(group: SandboxActor.group)
            .serverChannelOption(ChannelOptions.backlog, value: backlog)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                ChannelOptions.recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 65_536)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try configure(channel, worlds: worlds) }
            }
        let channel = try await bootstrap.bind(host: address, port: port).get()
        let sweep = SandboxActor.loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            SandboxActor.run {
                let now = NIODeadline.now()
                for world in all() {
                    for connection in world.connections.values { connection.checkIdle(now: now) }
                }
            }
        }
        return ChatListener(channel: channel, idleSweep: sweep)
    }

    func stop() async {
        idleSweep.cancel()
        try? await channel.close()
    }

    private nonisolated static func configure(
        _ channel: any Channel, worlds: @escaping @SandboxActor @Sendable (String) -> World?
    ) throws {
        let pages = PageHandler { head in worlds(worldName(head)) }
        let bound = NIOLoopBound(pages, eventLoop: channel.eventLoop)
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: frameLimit,
            shouldUpgrade: { channel, head in
                let refused = SandboxActor.run { () -> Bool in
                    guard let world = worlds(worldName(head)) else { return true }
                    guard let until = world.refusesUpgradesUntil else { return false }
                    return world.clock.seconds < until
                }
                return channel.eventLoop.makeSucceededFuture(refused ? nil : HTTPHeaders())
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    try SandboxActor.run {
                        guard let world = worlds(worldName(head)) else { throw ChannelError.inputClosed }
                        let connection = world.accept(channel)
                        try channel.pipeline.syncOperations.addHandler(ChatSocketHandler(connection: connection))
                    }
                }
            })
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    context.pipeline.syncOperations.removeHandler(bound.value, promise: nil)
                }
            ))
        try channel.pipeline.syncOperations.addHandler(pages)
    }

    /// From header `X-Sandbox-World` or query `world=`; `default` otherwise (section 25).
    private nonisolated static func worldName(_ head: HTTPRequestHead) -> String {
        if let name = head.headers.first(name: "X-Sandbox-World"), !name.isEmpty { return name }
        guard let query = head.uri.split(separator: "?", maxSplits: 1).dropFirst().first else { return "default" }
        for pair in query.split(separator: "&") where pair.hasPrefix("world=") { return String(pair.dropFirst(6)) }
        return "default"
    }
}

extension World {
    /// Takes in a new socket.
    func accept(_ channel: any Channel) -> ClientConnection {
        let connection = ClientConnection(id: nextConnectionID, world: self, channel: channel)
        nextConnectionID += 1
        connections[connection.id] = connection
        return connection
    }
}
