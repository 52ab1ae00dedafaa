import Cryptography

/// One generation of a sender's key in a group (03-signal, section 10.2).
struct SenderKeyState: Sendable {
    /// Which end of the key this is.
    enum Role: Sendable {
        /// We send with it: the chain with its reservation, and the signing key.
        case own(ReservedChain, signing: PrivateKey)
        /// We receive with it: the chain, and the first iteration that we know of.
        case remote(MessageChain, firstIteration: UInt32)
    }

    let keyID: UInt32
    let signingKey: PublicKey
    var role: Role
    /// The signing key in the form that verification works on, once it was needed.
    var verification: VerificationKey?

    /// A key of our own that was never stored; 4 positions are reserved.
    static func own(keyID: UInt32, chainKey: SecretBytes, signing: KeyPair, _ engine: inout HMACEngine)
        -> SenderKeyState
    {
        var chain = ReservedChain(born: ChainKey(key: chainKey, index: 0))
        chain.extend(&engine)
        return SenderKeyState(
            keyID: keyID, signingKey: signing.publicKey, role: .own(chain, signing: signing.privateKey))
    }

    static func remote(_ message: SenderKeyDistributionMessage) -> SenderKeyState {
        let chain = MessageChain(ChainKey(key: message.chainKey, index: message.iteration))
        return SenderKeyState(
            keyID: message.keyID, signingKey: message.signingKey,
            role: .remote(chain, firstIteration: message.iteration))
    }

    /// The key as new members get it: from the next message on, nothing earlier. Nil for another's key.
    var distribution: SenderKeyDistributionMessage? {
        guard case .own(let chain, _) = role else { return nil }
        return SenderKeyDistributionMessage(
            keyID: keyID, iteration: chain.live.index, chainKey: chain.live.key, signingKey: signingKey)
    }

    var reserved: ReservedChain? {
        guard case .own(let chain, _) = role else { return nil }
        return chain
    }

    /// Changes the reservation of an own key; does nothing for another's.
    mutating func withReserved(_ change: (inout ReservedChain) throws -> Void) rethrows {
        guard case .own(var chain, let signing) = role else { return }
        try change(&chain)
        role = .own(chain, signing: signing)
    }
}

extension SenderKeyState {
    /// Makes the change of a step on another's chain.
    mutating func apply(_ step: MessageChain.Step) {
        guard case .remote(var chain, let firstIteration) = role else { return }
        // Let go of the stored copy first, so that the chain is changed in place.
        role = .remote(MessageChain(chain.position), firstIteration: firstIteration)
        chain.apply(step)
        role = .remote(chain, firstIteration: firstIteration)
    }
}
