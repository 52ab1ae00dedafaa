import Cryptography

/// The sender keys of one sender in one group, newest first, at most `SignalLimits.senderKeyStates`.
///
/// A value: operations work on it in place and leave it unchanged when they throw. Our own record sends with its newest
/// state and reserves its iterations like a session does (16-performance-durability, section 1.11).
package struct SenderKeyRecord: Sendable {
    var states: [SenderKeyState] = []

    package init() {}

    package var isEmpty: Bool { states.isEmpty }

    /// Whether this is a record we can send with.
    package var hasOwnKey: Bool { states.first?.reserved != nil }

    /// Id of the newest key.
    package var keyID: UInt32? { states.first?.keyID }

    /// Puts a state in front of the others; the oldest go.
    mutating func insert(_ state: SenderKeyState) {
        states.insert(state, at: 0)
        if states.count > SignalLimits.senderKeyStates {
            states.removeLast(states.count - SignalLimits.senderKeyStates)
        }
    }
}

/// A sender-key record's row, and what to give back once it is durable.
package struct SenderKeyRecordImage: Sendable {
    package let record: Bytes
    package let receipt: SenderKeyImageReceipt
}

/// Names what an image made durable.
package struct SenderKeyImageReceipt: Sendable, Hashable {
    fileprivate let keyID: UInt32?
    fileprivate let signingKey: PublicKey?
    fileprivate let bound: UInt32
    fileprivate let generation: UInt32
}

extension SenderKeyRecord {
    /// Iterations below this may be sent at once; nil when every send waits for an image.
    package var durableBound: UInt32? { states.first?.reserved?.durableBound }

    /// Whether little is left of the reservation, so that an image should go with the device's next commit.
    package var needsExtension: Bool { states.first?.reserved?.needsExtension ?? false }

    /// Moves the reservation on by `count` positions, or by the next block (4, 16, 64). Takes effect when an image is
    /// durable.
    package mutating func extend(by count: UInt32? = nil) {
        var engine = HMACEngine(.sha256)
        withNewest { $0.extend(by: count, &engine) }
    }

    /// The row to write now, with an own chain as it stands at the end of its reservation.
    package mutating func imageForStorage() -> SenderKeyRecordImage {
        withNewest { $0.submitted() }
        return image(.parked)
    }

    /// The row of a clean write (eviction, hand-over, shutdown). Gives up the reservation: a later send waits for a new
    /// image.
    package mutating func cleanImage() -> SenderKeyRecordImage {
        withNewest { $0.giveUp() }
        return image(.live)
    }

    /// Notes that an image is durable.
    package mutating func committed(_ receipt: SenderKeyImageReceipt) {
        guard let newest = states.first, newest.keyID == receipt.keyID, newest.signingKey == receipt.signingKey else {
            return
        }
        withNewest { $0.committed(bound: receipt.bound, generation: receipt.generation) }
    }

    /// Forgets what storage was known to hold: the next send waits for a new image.
    package mutating func forgetDurability() { withNewest { $0.forgetDurability() } }

    /// Makes an own record that was read from a store that lost commits safe to use: its key goes on past what may have been
    /// used, or is given up for the next one. Others' keys are as good as they were.
    package mutating func recover(from loss: SessionRecord.StoredLoss) {
        guard hasOwnKey else { return }
        if loss == .much { return states = [] }
        var engine = HMACEngine(.sha256)
        withNewest { $0.recover(from: loss, &engine) }
    }

    private mutating func withNewest(_ change: (inout ReservedChain) -> Void) {
        guard !states.isEmpty else { return }
        states[0].withReserved(change)
    }

    private func image(_ image: SessionState.SenderImage) -> SenderKeyRecordImage {
        let chain = states.first?.reserved
        return SenderKeyRecordImage(
            record: encoded(image),
            receipt: SenderKeyImageReceipt(
                keyID: states.first?.keyID, signingKey: states.first?.signingKey, bound: chain?.parked.index ?? 0,
                generation: chain?.generation ?? 0))
    }
}
