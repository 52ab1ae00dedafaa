import Cryptography
import Foundation
import Logging
import OrderedCollections

/// The worlds of one sandbox and their listeners.
@SandboxActor
package final class WorldHall {
    let configuration: SandboxConfiguration
    private let logger: Logger
    private var listener: ChatListener?
    private var control: ControlServer?
    private var media: MediaListener?
    /// By id, in order of creation; `default` is always there once the sandbox runs.
    package internal(set) var worlds: OrderedDictionary<String, World> = [:]
    package private(set) var addresses = SandboxAddresses(webSocket: "", control: "", media: "", rootPublicKey: "")

    /// `host:port` of the media listener.
    private var mediaHost: String?

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
            id: "default", seed: Bytes(configuration.seed.utf8), clock: configuration.clock,
            startTime: configuration.startTime, settings: configuration.settings, store: store)
        worlds["default"] = world
        world.media.directory = configuration.dataDirectory.map { $0 + "/media" }
        world.load()
        let address = configuration.address
        let listener = try await ListenFailure.naming("chat", address, configuration.chatPort) {
            try await ChatListener.start(
                address: address, port: configuration.chatPort,
                worlds: { [weak self] name in self?.worlds[name] },
                all: { [weak self] in self.map { Array($0.worlds.values) } ?? [] })
        }
        self.listener = listener
        let host = Self.host(configuration.address)
        let control: ControlServer
        do {
            let media = try await ListenFailure.naming("media", address, configuration.mediaPort) {
                try await MediaListener.start(
                    address: address, port: configuration.mediaPort, certificate: configuration.certificate,
                    worlds: { [weak self] name in self?.worlds[name] })
            }
            self.media = media
            mediaHost = "\(host):\(media.port)"
            world.mediaHost = mediaHost
            control = try await ListenFailure.naming("control", address, configuration.controlPort) {
                try await ControlServer.start(
                    host: self, address: address, port: configuration.controlPort, token: configuration.controlToken,
                    logger: logger)
            }
        } catch {
            await close()
            throw error
        }
        self.control = control
        addresses = SandboxAddresses(
            webSocket: "ws://\(host):\(listener.port)/ws/chat", control: "http://\(host):\(control.port)",
            media: mediaHost.map { "http://\($0)" } ?? "", rootPublicKey: Hex.encode(world.trust.rootPublicKey.raw))
        return addresses
    }

    func close() async {
        await control?.stop()
        control = nil
        for world in worlds.values { world.shutDown() }
        await listener?.stop()
        listener = nil
        await media?.stop()
        media = nil
        for world in worlds.values {
            world.store.close()
            world.media.close()
        }
        worlds = [:]
    }

    /// A world with its phones, not yet loaded.
    func make(
        id: String, seed: Bytes, clock: SandboxConfiguration.ClockMode, startTime: Int64, settings: WorldSettings,
        store: any WorldStore
    ) throws -> World {
        let world = try World(
            id: id, seed: seed, clock: SandboxClock(mode: clock, start: startTime), settings: settings, store: store)
        world.mediaHost = mediaHost
        prepare(world)
        return world
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
