import Cryptography
import Testing

@testable import Signal

/// A sender whose store fails in every way, and a receiver that sees what leaves: no position may ever leave twice.
@Suite("Reservation under crashes and a failing store")
struct ReservationSimulationTests {
    /// A store with one commit in flight at a time per image, in order; outcomes are drawn.
    private struct World {
        var choices: Choices
        var alice: Party
        var bob: Party
        /// The rows as of the last commit.
        var stored: (current: Bytes, archived: [Bytes: Bytes])
        /// Images handed out, oldest first, with the frames that wait for each.
        var queue: [(image: SessionRecordImage, frames: [Frame], rev: Int)] = []
        var storedRev = 0
        var rev = 0
        var published: [Frame] = []
        var delivered = 0
        /// Counters that left, by ratchet key.
        var seen: Set<Position> = []
        var duplicates = 0
    }

    private struct Position: Hashable {
        let ratchetKey: PublicKey
        let counter: UInt32
    }

    private struct Frame {
        let text: Bytes
        let ciphertext: SessionCiphertext
    }

    @Test("no chain position leaves twice, and what is published decrypts", arguments: 0..<24)
    func chaos(_ seed: Int) throws {
        var world = try start(seed)
        for step in 0..<300 {
            switch world.choices.below(20) {
            case 0..<8: try send(&world, Bytes("\(step)".utf8))
            case 8: for burst in 0..<world.choices.below(90) { try send(&world, Bytes("\(step).\(burst)".utf8)) }
            case 9..<13: settle(&world)
            case 13..<15: try answer(&world)
            case 15: submit(&world, clean: world.choices.chance(50), frames: [])
            case 16: try evict(&world)
            case 17, 18: try crash(&world)
            default: world.alice.records["bob"]?.forgetDurability()
            }
        }
        #expect(world.duplicates == 0)
        try deliver(&world)
        #expect(world.published.count > 20)
    }

    private func start(_ seed: Int) throws -> World {
        var (alice, bob) = try Party.acquainted(seed: [UInt8(seed)])
        _ = try bob.receive(alice.send([0], to: "bob"), from: "alice")
        let image = alice.image(of: "bob")
        alice.records["bob"]?.committed(image.receipt)
        return World(
            choices: Choices(seed: UInt64(seed) &+ 99), alice: alice, bob: bob, stored: (image.current, [:]))
    }

    private func send(_ world: inout World, _ text: Bytes) throws {
        let frame = Frame(text: text, ciphertext: try world.alice.send(text, to: "bob"))
        switch frame.ciphertext.cover {
        case .durable: publish(&world, [frame])
        case .submitted:
            let last = world.queue.count - 1
            guard last >= 0 else {
                Issue.record("waits for an image that nobody has")
                return
            }
            world.queue[last].frames.append(frame)
        case .needsImage: submit(&world, clean: false, frames: [frame])
        }
        if world.alice.records["bob"]?.needsExtension == true, world.choices.chance(30) {
            world.alice.records["bob"]?.extend()
        }
    }

    private func submit(_ world: inout World, clean: Bool, frames: [Frame]) {
        let image = clean ? world.alice.cleanImage(of: "bob") : world.alice.image(of: "bob")
        world.rev += 1
        world.queue.append((image, frames, world.rev))
    }

    private func publish(_ world: inout World, _ frames: [Frame]) {
        for frame in frames {
            guard let message = try? message(frame) else { continue }
            let position = Position(ratchetKey: message.ratchetKey, counter: message.counter)
            if !world.seen.insert(position).inserted { world.duplicates += 1 }
            world.published.append(frame)
        }
    }

    private func message(_ frame: Frame) throws -> SignalMessage {
        frame.ciphertext.type == .whisper
            ? try SignalMessage(parsing: frame.ciphertext.bytes)
            : try PreKeySignalMessage(parsing: frame.ciphertext.bytes).message
    }

    /// Ends the oldest commit: applied; not applied and tried again later; or applied without our learning of it yet.
    private func settle(_ world: inout World) {
        guard let entry = world.queue.first else { return }
        switch world.choices.below(4) {
        case 0: return
        case 1: apply(&world, entry.image, entry.rev)
        default:
            apply(&world, entry.image, entry.rev)
            world.queue.removeFirst()
            world.alice.records["bob"]?.committed(entry.image.receipt)
            publish(&world, entry.frames)
        }
    }

    private func apply(_ world: inout World, _ image: SessionRecordImage, _ rev: Int) {
        guard rev > world.storedRev else { return }
        world.storedRev = rev
        world.stored.current = image.current
        for state in image.archived { world.stored.archived[state.baseKey] = state.record }
        for name in image.dropped { world.stored.archived[name] = nil }
    }

    /// Bob reads what left since the last time: every frame decrypts, once.
    private func deliver(_ world: inout World) throws {
        for frame in world.published[world.delivered...] {
            #expect(try world.bob.receive(frame.ciphertext, from: "alice").plaintext == frame.text)
        }
        world.delivered = world.published.count
    }

    /// Bob answers, which replaces Alice's chain; the image goes with the receive transaction.
    private func answer(_ world: inout World) throws {
        try deliver(&world)
        let ciphertext = try world.bob.send([1], to: "alice")
        _ = try world.alice.receive(ciphertext, from: "bob")
        submit(&world, clean: false, frames: [])
        // A receive whose transaction is lost is redelivered; here it always ends before a crash may come.
        while !world.queue.isEmpty { settle(&world) }
    }

    /// Writes the record cleanly and loads it again: nothing may be burnt.
    private func evict(_ world: inout World) throws {
        while !world.queue.isEmpty { settle(&world) }
        let next = world.alice.records["bob"]?.current?.sender.chain.live.index
        submit(&world, clean: true, frames: [])
        while !world.queue.isEmpty { settle(&world) }
        try load(&world)
        #expect(world.alice.records["bob"]?.current?.sender.chain.live.index == next)
    }

    /// Forgets everything in memory; frames that waited are gone.
    private func crash(_ world: inout World) throws {
        if world.choices.chance(50), let entry = world.queue.first { apply(&world, entry.image, entry.rev) }
        let live = world.alice.records["bob"]?.current
        world.queue = []
        try load(&world)
        if let live, let loaded = world.alice.records["bob"]?.current,
            live.sender.ratchetKey.publicKey == loaded.sender.ratchetKey.publicKey,
            let last = world.seen.filter({ $0.ratchetKey == loaded.sender.ratchetKey.publicKey }).map(\.counter).max()
        {
            #expect(loaded.sender.chain.live.index > last)
        }
    }

    private func load(_ world: inout World) throws {
        world.alice.records["bob"] = try SessionRecord(
            current: world.stored.current, archived: Array(world.stored.archived.values))
    }
}
