import Logging
import NIOConcurrencyHelpers
import NIOCore
import Tenancy

/// The connections of a listener: so that a shutdown is not at the mercy of a client that keeps its end open, and so that
/// one address does not take the places of all.
///
/// A connection counts against its address (an IPv6 one: its /64) until a request on it showed a valid credential: customers
/// may share an address and hold a stream per device, and nodes forward over many connections. Reverse proxies that the
/// configuration trusts do not count (16-performance-durability, section 6.4).
final class OpenConnections: Sendable {
    private struct Connection {
        let channel: any Channel
        /// What it counts against; nil when it does not.
        var network: String?
    }

    private struct State {
        var connections: [ObjectIdentifier: Connection] = [:]
        var counts: [String: Int] = [:]
        /// When a refusal was last logged.
        var loggedAt: NIODeadline?
    }

    /// Between two log lines about refused connections.
    private static let logInterval = TimeAmount.minutes(1)

    private let limit: Int
    private let trusted: [AddressBlock]
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - limit: Connections of one address without a valid credential; 0 is no limit.
    ///   - trusted: Addresses that do not count.
    init(limit: Int = 0, trusted: [AddressBlock] = [], logger: Logger = Logger(label: "connections")) {
        self.limit = limit
        self.trusted = trusted
        self.logger = logger
    }

    /// For the pipeline of each connection.
    func handler() -> any RemovableChannelHandler { Handler(self) }

    func closeAll() {
        let open = state.withLockedValue { Array($0.connections.values) }
        for connection in open { connection.channel.close(promise: nil) }
    }

    /// A request on the connection showed a valid credential: it counts against its address no longer.
    func prove(_ channel: any Channel) {
        state.withLockedValue { state in
            let id = ObjectIdentifier(channel)
            guard let network = state.connections[id]?.network else { return }
            state.connections[id]?.network = nil
            Self.leave(network, &state)
        }
    }

    /// False when there are too many of its address.
    private func add(_ channel: any Channel) -> Bool {
        let network = countedNetwork(channel)
        let (isWelcome, isLogged) = state.withLockedValue { state -> (Bool, Bool) in
            state.connections[ObjectIdentifier(channel)] = Connection(channel: channel, network: network)
            guard let network else { return (true, false) }
            state.counts[network, default: 0] += 1
            guard state.counts[network, default: 0] > limit else { return (true, false) }
            let now = NIODeadline.now()
            if let last = state.loggedAt, now < last + Self.logInterval { return (false, false) }
            state.loggedAt = now
            return (false, true)
        }
        if isLogged, let network {
            logger.warning(
                "an address has too many connections without a credential: more are closed",
                metadata: ["address": "\(network)", "limit": "\(limit)"])
        }
        return isWelcome
    }

    private func remove(_ channel: any Channel) {
        state.withLockedValue { state in
            guard let known = state.connections.removeValue(forKey: ObjectIdentifier(channel)) else { return }
            if let network = known.network { Self.leave(network, &state) }
        }
    }

    private static func leave(_ network: String, _ state: inout State) {
        let left = state.counts[network, default: 0] - 1
        state.counts[network] = left > 0 ? left : nil
    }

    private func countedNetwork(_ channel: any Channel) -> String? {
        guard limit > 0, let address = channel.remoteAddress?.ipAddress else { return nil }
        return trusted.contains { $0.contains(address) } ? nil : AddressBlock.network(of: address)
    }

    private final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny

        private let connections: OpenConnections
        private var isRefused = false

        init(_ connections: OpenConnections) { self.connections = connections }

        func handlerAdded(context: ChannelHandlerContext) {
            isRefused = !connections.add(context.channel)
            if isRefused, context.channel.isActive { context.close(promise: nil) }
        }

        func handlerRemoved(context: ChannelHandlerContext) { connections.remove(context.channel) }

        func channelActive(context: ChannelHandlerContext) {
            context.fireChannelActive()
            if isRefused { context.close(promise: nil) }
        }
    }
}
