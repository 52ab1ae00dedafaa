import Cryptography

/// The content of a record's rows: the current state, and what changed in the archive.
package struct SessionRecordImage: Sendable {
    /// The row of the current state (also when there is none: then it says so).
    package let current: Bytes
    /// Archived states to write, by base key (32 bytes).
    package let archived: [(baseKey: Bytes, record: Bytes)]
    /// Base keys of archived states that are gone.
    package let dropped: [Bytes]
    /// To give back to `committed(_:)` once the image is durable.
    package let receipt: SessionImageReceipt
}

/// Names what an image made durable.
package struct SessionImageReceipt: Sendable, Hashable {
    fileprivate let ratchetKey: PublicKey?
    fileprivate let bound: UInt32
    fileprivate let generation: UInt32
    fileprivate let archiveSequence: UInt64
}

extension SessionRecord {
    /// Counters below this may be sent at once; nil when every send waits for an image.
    package var durableBound: UInt32? { current?.sender.chain.durableBound }

    /// Whether little is left of the reservation, so that an image should go with the device's next commit.
    package var needsExtension: Bool { current?.sender.chain.needsExtension ?? false }

    /// Moves the reservation on by `count` positions, or by the next block (4, 16, 64). Takes effect when an image is
    /// durable.
    package mutating func extend(by count: UInt32? = nil) {
        var engine = HMACEngine(.sha256)
        current?.sender.chain.extend(by: count, &engine)
    }

    /// The rows to write now, with the sending chain as it stands at the end of its reservation.
    ///
    /// Repeats archive changes until an image that carried them is reported durable, so a newer image may replace an older
    /// one that waits.
    package mutating func imageForStorage() -> SessionRecordImage {
        current?.sender.chain.submitted()
        return image(clean: false)
    }

    /// The rows of a clean write (eviction, hand-over, shutdown): the sending chain as it stands, so that nothing is
    /// skipped when it is loaded again. Gives up the reservation: a later send waits for a new image.
    package mutating func cleanImage() -> SessionRecordImage {
        current?.sender.chain.giveUp()
        return image(clean: true)
    }

    /// Notes that an image is durable.
    package mutating func committed(_ receipt: SessionImageReceipt) {
        archiveChanges.committed(receipt.archiveSequence)
        guard let ratchetKey = receipt.ratchetKey, current?.sender.ratchetKey.publicKey == ratchetKey else { return }
        current?.sender.chain.committed(bound: receipt.bound, generation: receipt.generation)
    }

    /// Forgets what storage was known to hold, as when it may have lost commits: the next send waits for a new image.
    package mutating func forgetDurability() { current?.sender.chain.forgetDurability() }

    /// Whether a store that lost commits may hold an earlier state of a chain than was used (16, section 1.8).
    package enum StoredLoss: Sendable, Equatable {
        /// It lost what was committed in the last moments: chains go on this many positions past what it holds.
        case some
        /// It is as it was at any time before: no chain in it may send again, until an answer of the peer brings a new one.
        case much
    }

    /// Makes what was read from a store that lost commits safe to use. `losses` say so of the current session and of the
    /// archived ones, newest first; nil is no loss.
    package mutating func recover(current loss: StoredLoss?, archived losses: [StoredLoss?]) {
        var engine = HMACEngine(.sha256)
        current?.sender.chain.recover(from: loss, &engine)
        for (index, loss) in zip(archived.indices, losses) {
            archived[index].sender.chain.recover(from: loss, &engine)
        }
    }

    private func image(clean: Bool) -> SessionRecordImage {
        var stored: [(baseKey: Bytes, record: Bytes)] = []
        var dropped: [Bytes] = []
        for change in archiveChanges.entries {
            if change.stored, let state = archived.first(where: { $0.baseKey == change.baseKey }) {
                stored.append((change.baseKey.raw, state.encoded(.parked)))
            } else {
                dropped.append(change.baseKey.raw)
            }
        }
        let chain = current?.sender.chain
        return SessionRecordImage(
            current: SessionState.encode(current, clean ? .live : .parked), archived: stored, dropped: dropped,
            receipt: SessionImageReceipt(
                ratchetKey: current?.sender.ratchetKey.publicKey, bound: chain?.parked.index ?? 0,
                generation: chain?.generation ?? 0, archiveSequence: archiveChanges.sequence))
    }
}

extension ReservedChain {
    /// Two blocks and more: what was extended and lost within the last moments.
    private static let skippedAfterLoss: UInt32 = 128

    mutating func recover(from loss: SessionRecord.StoredLoss?, _ engine: inout HMACEngine) {
        switch loss {
        case .some(.some): skip(Self.skippedAfterLoss, &engine)
        case .some(.much): spend()
        case nil: break
        }
    }
}
