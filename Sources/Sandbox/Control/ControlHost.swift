import Cryptography

/// What the control API needs of the sandbox around the worlds.
@SandboxActor
package protocol ControlHost: AnyObject, Sendable {
    /// Worlds by id, in order of creation; `default` is always there.
    var controlWorlds: [World] { get }
    var controlAddresses: SandboxAddresses { get }
    /// Makes a world. `startTime`: first moment of a virtual clock, Unix seconds.
    func makeWorld(
        id: String, seed: String, clock: SandboxConfiguration.ClockMode, startTime: Int64?, settings: WorldSettings
    ) throws -> World
    /// Closes the world's connections and forgets it. False when there is none, or it is the default world.
    func removeWorld(_ id: String) -> Bool
    /// Puts an empty world with the same id, seed and settings in its place.
    func resetWorld(_ id: String) throws -> World
    /// The whole world as bytes; equal worlds give equal bytes.
    func snapshot(of world: World) -> Bytes
    /// Replaces the world `id` by a snapshot; throws when the bytes are none.
    func restoreWorld(_ id: String, from snapshot: Bytes) throws -> World
}

extension ControlHost {
    func world(named id: String) -> World? { controlWorlds.first { $0.id == id } }
}

extension World {
    /// The engine behind device 0, where the world has the one of this module.
    package var phones: Phones? { phone as? Phones }
    /// The rules behind ``faults``, where the world has the engine of this module.
    package var faultRules: WorldFaults? { faults as? WorldFaults }

    /// Gives a new world its phones and its fault engine. Call before the first account is made or loaded.
    package func installEngines() {
        phone = Phones(world: self)
        faults = WorldFaults(world: self)
    }
}
