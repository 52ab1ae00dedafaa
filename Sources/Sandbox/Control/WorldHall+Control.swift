import Cryptography
import OrderedCollections

extension WorldHall: ControlHost {
    package var controlWorlds: [World] { Array(worlds.values) }
    package var controlAddresses: SandboxAddresses { addresses }

    package func makeWorld(
        id: String, seed: String, clock: SandboxConfiguration.ClockMode, startTime: Int64?, settings: WorldSettings
    ) throws -> World {
        let world = try make(
            id: id, seed: Bytes(seed.utf8), clock: clock, startTime: startTime ?? configuration.startTime,
            settings: settings, store: MemoryStore())
        worlds[id] = world
        return world
    }

    package func removeWorld(_ id: String) -> Bool {
        guard id != "default", let world = worlds.removeValue(forKey: id) else { return false }
        world.shutDown()
        world.store.close()
        world.media.close()
        return true
    }

    package func resetWorld(_ id: String) throws -> World {
        guard let old = worlds[id] else { throw ControlError(404, "no_such_world", "there is no world \(id)") }
        return try replace(
            old, seed: old.seed, clock: old.clock.mode,
            startTime: old.clock.mode == .virtual ? configuration.startTime : old.clock.seconds, settings: old.settings,
            entries: [])
    }

    package func snapshot(of world: World) -> Bytes {
        world.store.commit()
        return WorldSnapshot(
            header: .init(
                id: world.id, seed: world.seed, clock: world.clock.mode, time: world.clock.seconds,
                settings: world.settings), entries: world.store.all(under: "")
        ).serialized()
    }

    package func restoreWorld(_ id: String, from bytes: Bytes) throws -> World {
        let snapshot = try WorldSnapshot(parsing: bytes)
        guard let old = worlds[id] else { throw ControlError(404, "no_such_world", "there is no world \(id)") }
        let world = try replace(
            old, seed: snapshot.header.seed, clock: snapshot.header.clock, startTime: snapshot.header.time,
            settings: snapshot.header.settings, entries: snapshot.entries)
        world.load()
        return world
    }

    /// Puts a world with the content `entries` in the place of `old`, on the same store.
    private func replace(
        _ old: World, seed: Bytes, clock: SandboxConfiguration.ClockMode, startTime: Int64, settings: WorldSettings,
        entries: [(key: String, value: Bytes)]
    ) throws -> World {
        old.shutDown()
        old.retire()
        let store = old.store
        store.deleteAll(under: "")
        for entry in entries { store.put(entry.key, entry.value) }
        let world = try make(
            id: old.id, seed: seed, clock: clock, startTime: startTime, settings: settings, store: store)
        world.media.directory = old.media.directory
        worlds[old.id] = world
        store.commit()
        return world
    }
}

extension World {
    /// Cuts the world off from its store: what still happens on closing connections must not reach its successor's.
    fileprivate func retire() {
        phone = nil
        faults = nil
        store = MemoryStore()
    }
}
