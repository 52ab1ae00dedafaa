import Cryptography

/// A sending chain with its reservation: how far it may be used without touching storage.
///
/// Storage holds the chain as it stands at the *end* of a reserved block (`parked`), so a stored row can never produce a
/// key that may already have been used, and a crash needs no repair (16-performance-durability, sections 1.2 to 1.5).
struct ReservedChain: Sendable {
    /// Sizes of the blocks: at birth, at the first extension, at every later one.
    static let blocks: [UInt32] = [4, 16, 64]

    /// What the next encryption uses. In memory only, except in a clean image.
    private(set) var live: ChainKey
    /// The end of the reserved block; `parked.index >= live.index`.
    private(set) var parked: ChainKey
    /// Positions below this were used as far as is known: `live.index` while the chain is in service, less once positions
    /// were skipped. What the next chain announces as its predecessor's end, which must never be too high.
    private(set) var used: UInt32
    /// Blocks granted so far.
    private(set) var extensions: UInt8
    /// Exclusive bound of the counters that the newest committed image covers; nil for a chain never committed, or one
    /// whose lease was given up.
    private(set) var durableBound: UInt32?
    /// The same for the newest image that was handed out for storing.
    private(set) var submittedBound: UInt32?

    /// Counts the times durability was given up or forgotten: news about images from before is void.
    private(set) var generation: UInt32 = 0

    /// A chain that was never stored.
    init(born chain: ChainKey) {
        (live, parked) = (chain, chain)
        used = chain.index
        extensions = 0
    }

    /// A chain as it was stored: nothing may be sent before an extension is durable.
    init(stored chain: ChainKey, used: UInt32, extensions: UInt8) {
        (live, parked) = (chain, chain)
        self.used = min(used, chain.index)
        self.extensions = extensions
    }

    private var lastBlock: UInt32 {
        guard extensions > 0 else { return 0 }
        return ReservedChain.blocks[min(Int(extensions), ReservedChain.blocks.count) - 1]
    }

    private var nextBlock: UInt32 { ReservedChain.blocks[min(Int(extensions), ReservedChain.blocks.count - 1)] }

    /// Whether a quarter of the block or less is left, so that an image should go with the next commit.
    var needsExtension: Bool { parked.index - live.index <= max(lastBlock / 4, 1) }

    /// Moves the end of the reservation on by `count` positions, or by the next block.
    mutating func extend(by count: UInt32? = nil, _ engine: inout HMACEngine) {
        parked = parked.advanced(by: min(count ?? nextBlock, .max - parked.index), &engine)
        extensions = min(extensions, 254) + 1
    }

    /// Takes the next position, extending the reservation when it is used up. Throws `noSession` at the end of the
    /// counter space.
    mutating func take(_ engine: inout HMACEngine) throws -> (counter: UInt32, seed: SecretBytes) {
        guard live.index < .max else { throw SignalError.noSession }
        if live.index == parked.index { extend(&engine) }
        let position = live
        live = position.next(&engine)
        used = live.index
        return (position.index, position.seed(&engine))
    }

    /// Whether a ciphertext at `counter` may leave.
    func cover(of counter: UInt32) -> SendCover {
        if let durableBound, counter < durableBound { return .durable }
        if let submittedBound, counter < submittedBound { return .submitted }
        return .needsImage
    }

    /// Notes that an image with `parked` was handed out.
    mutating func submitted() { submittedBound = parked.index }

    /// Notes that an image of `generation` with the bound `bound` is durable.
    mutating func committed(bound: UInt32, generation: UInt32) {
        guard generation == self.generation else { return }
        durableBound = max(durableBound ?? 0, bound)
    }

    /// Gives up what is left of the reservation, before a clean image with `live` is handed out. From then on only a later
    /// extension permits a send, whatever becomes of that image and of those before it.
    mutating func giveUp() {
        generation &+= 1
        parked = live
        durableBound = live.index
        submittedBound = live.index
    }

    /// Leaves service for the archive: if it ever returns, it goes on past its block.
    mutating func retire() {
        live = parked
        forgetDurability()
    }

    /// Goes on `count` positions further, as when the store may have gone back to an earlier end of a block.
    mutating func skip(_ count: UInt32, _ engine: inout HMACEngine) {
        parked = parked.advanced(by: min(count, .max - parked.index), &engine)
        retire()
    }

    /// Is used up for good, as when the store may have gone back further than anybody can tell.
    mutating func spend() {
        (live, parked) = (ChainKey(key: live.key, index: .max), ChainKey(key: live.key, index: .max))
        forgetDurability()
    }

    var isSpent: Bool { live.index == .max }

    /// Forgets what storage was known to hold: the next ciphertext waits for a new image.
    mutating func forgetDurability() {
        generation &+= 1
        durableBound = nil
        submittedBound = nil
    }
}

/// Whether a ciphertext may leave (16-performance-durability, section 1.5).
package enum SendCover: Sendable, Equatable {
    /// At once: its position is below the durable bound.
    case durable
    /// When the newest image of this record that was submitted is durable.
    case submitted
    /// When an image taken now is durable.
    case needsImage
}
