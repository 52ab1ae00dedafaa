/// Bounds of the ratchets (03-signal, sections 6.2 and 10.2).
package struct SignalLimits: Sendable, Equatable {
    /// How far ahead of its chain a single message may be. The references refuse above 2000, the official apps above
    /// 25000; accepting the larger costs a receiver ≈ 10 ms once.
    package var forwardJump: UInt32 = 25_000

    package init() {}

    package init(forwardJump: UInt32) { self.forwardJump = forwardJump }

    /// How far ahead a message may be that no state knows the ratchet key of, when archived states are tried: each takes a
    /// ratchet step and the way along the new chain, and there are many. A chain that is new to us has no long past.
    package static let archivedJump: UInt32 = 2_000

    /// Keys of skipped messages kept per chain; the oldest go first.
    package static let skippedKeys = 2_000
    /// Receiving chains kept per session state.
    package static let receivingChains = 5
    /// Archived states kept per session record.
    package static let archivedStates = 40
    /// States kept per sender-key record.
    package static let senderKeyStates = 5
}
