import Cryptography
import Foundation
import Logging
import OrderedCollections

/// The worlds of one sandbox and their listeners.
@SandboxActor
package final class WorldHall {
    private let configuration: SandboxConfiguration
    private let logger: Logger
    private var listener: ChatListener?
    /// By id, in order of creation; `default` is always there once the sandbox runs.
    package private(set) var worlds: OrderedDictionary<String, World> = [:]
    package private(set) var addresses = SandboxAddresses(webSocket: "", control: "", media: "", rootPublicKey: "")

    private let prepare: @SandboxActor @Sendable (World) -> Void

    nonisolated init(
        configuration: SandboxConfiguration, logger: Logger, prepare: @escaping @SandboxActor @Sendable (World) -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.prepare = prepare
    }

    func open() async throws -> SandboxAddresses {
        DescriptorLimit.raise()
        let store: any WorldStore
        if let directory = configuration.dataDirectory {
            store = try JournalStore(directory: directory, logger: logger)
        } else {
            store = MemoryStore()
        }
        let world = try make(
            id: "default", seed: configuration.seed, clock: configuration.clock, startTime: configuration.startTime,
            settings: configuration.settings, store: store)
        worlds["default"] = world
        prepare(world)
        world.load()
        let listener = try await ChatListener.start(
            address: configuration.address, port: configuration.chatPort,
            worlds: { [weak self] name in self?.worlds[name] },
            all: { [weak self] in self.map { Array($0.worlds.values) } ?? [] })
        self.listener = listener
        addresses = SandboxAddresses(
            webSocket: "ws://\(Self.host(configuration.address)):\(listener.port)/ws/chat", control: "", media: "",
            rootPublicKey: Hex.encode(world.trust.rootPublicKey.raw))
        return addresses
    }

    func close() async {
        for world in worlds.values { world.shutDown() }
        await listener?.stop()
        listener = nil
        for world in worlds.values { world.store.close() }
        worlds = [:]
    }

    private func make(
        id: String, seed: String, clock: SandboxConfiguration.ClockMode, startTime: Int64, settings: WorldSettings,
        store: any WorldStore
    ) throws -> World {
        try World(
            id: id, seed: Bytes(seed.utf8), clock: SandboxClock(mode: clock, start: startTime), settings: settings,
            store: store)
    }

    /// An address as it stands in a URL.
    private static func host(_ address: String) -> String {
        switch address {
        case "0.0.0.0": "127.0.0.1"
        case "::": "[::1]"
        default: address.contains(":") ? "[\(address)]" : address
        }
    }
}

extension World {
    /// Ends every connection at once and stops all timers.
    func shutDown() {
        for connection in connections.values { connection.close(code: CloseCode(codeNumber: 1001)) }
        clock.stop()
        store.commit()
    }
}
