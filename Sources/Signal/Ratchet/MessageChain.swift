import Cryptography

/// A receiving chain: where it stands, and the seeds of what it stepped over.
struct MessageChain: Sendable {
    private(set) var position: ChainKey
    private(set) var skipped: SkippedKeys

    init(_ position: ChainKey, skipped: SkippedKeys = SkippedKeys()) {
        self.position = position
        self.skipped = skipped
    }

    /// What decrypting one message would change, worked out without changing anything.
    struct Step {
        fileprivate enum Change {
            case taken(at: Int)
            case advanced(to: ChainKey, over: SkippedKeys)
        }

        /// The seed of the message's keys.
        let seed: SecretBytes
        fileprivate let change: Change
    }

    /// The step to message `counter`. Throws `duplicateMessage` when it was consumed, `tooFarAhead` beyond `limits`.
    func step(to counter: UInt32, limits: SignalLimits, _ engine: inout HMACEngine) throws -> Step {
        if counter < position.index {
            guard let index = skipped.index(of: counter) else {
                throw SignalError.duplicateMessage(counter: counter)
            }
            return Step(seed: skipped.withSeed(at: index) { SecretBytes($0) }, change: .taken(at: index))
        }
        let gap = counter - position.index
        guard gap <= limits.forwardJump, counter < .max else { throw SignalError.tooFarAhead(counter: counter) }
        var chain = position
        var stepped = SkippedKeys()
        if gap > 0 {
            // Seeds that the limit would push out at once are not derived at all.
            let kept = min(gap, UInt32(SignalLimits.skippedKeys))
            chain = chain.advanced(by: gap - kept, &engine)
                .advanced(by: kept, collecting: &stepped, &engine)
        }
        let seed = chain.seed(&engine)
        return Step(seed: seed, change: .advanced(to: chain.next(&engine), over: stepped))
    }

    /// Makes a step's change, once its message has proven genuine.
    mutating func apply(_ step: Step) {
        switch step.change {
        case .taken(let index): skipped.remove(at: index)
        case .advanced(let position, let stepped):
            self.position = position
            if !stepped.isEmpty { skipped.append(stepped) }
        }
    }

    /// Adds the seeds from an earlier position of the same chain up to `end`, all below those that are here.
    mutating func extendBackwards(from earlier: ChainKey, upTo end: UInt32, _ engine: inout HMACEngine) {
        guard earlier.index < end else { return }
        let gap = end - earlier.index
        let kept = min(gap, UInt32(SignalLimits.skippedKeys))
        var seeds = SkippedKeys()
        _ = earlier.advanced(by: gap - kept, &engine).advanced(by: kept, collecting: &seeds, &engine)
        skipped.prepend(seeds)
    }
}
