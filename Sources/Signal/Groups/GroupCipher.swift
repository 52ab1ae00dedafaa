import Cryptography

/// Encrypts and decrypts group messages with sender keys (03-signal, section 10).
package enum GroupCipher {
    /// One encrypted message for a group.
    package struct Ciphertext: Sendable {
        /// The content of `<enc type="skmsg">`.
        package let bytes: Bytes
        package let keyID: UInt32
        package let iteration: UInt32
        /// Whether it may leave now, or what must be durable first. Also holds for the key's distribution.
        package let cover: SendCover
    }

    /// The distribution of our own key as it stands, made first if there is none.
    ///
    /// Taken *before* a message is encrypted, it lets a new device decrypt that message and all later ones. It may leave
    /// only after the key's first image is durable.
    package static func createDistribution(
        record: inout SenderKeyRecord, random: some RandomSource
    ) -> SenderKeyDistributionMessage {
        if let distribution = record.states.first?.distribution { return distribution }
        return rotate(record: &record, random: random)
    }

    /// Replaces our own key by a new one, as when a participant leaves; the old states stay for reading only.
    @discardableResult
    package static func rotate(
        record: inout SenderKeyRecord, random: some RandomSource
    ) -> SenderKeyDistributionMessage {
        let signing = KeyPair.generate(random: random)
        let keyID = SignalNumbers.senderKeyID(random: random)
        return start(
            keyID: keyID, chainKey: SecretBytes(random.bytes(ChainKey.count)), signing: signing, record: &record)
    }

    static func start(
        keyID: UInt32, chainKey: SecretBytes, signing: KeyPair, record: inout SenderKeyRecord
    ) -> SenderKeyDistributionMessage {
        var engine = HMACEngine(.sha256)
        record.insert(.own(keyID: keyID, chainKey: chainKey, signing: signing, &engine))
        return SenderKeyDistributionMessage(
            keyID: keyID, iteration: 0, chainKey: chainKey, signingKey: signing.publicKey)
    }

    /// Learns another's key from a distribution (03-signal, section 10.4).
    ///
    /// A key that is known stays as it is. One that starts earlier than we know fills in the keys before; a known id with
    /// another signing key replaces what was there. Returns whether the record changed. Throws `tooFarAhead` when an
    /// earlier start lies further back than the limit.
    @discardableResult
    package static func process(
        _ distribution: SenderKeyDistributionMessage, record: inout SenderKeyRecord,
        limits: SignalLimits = SignalLimits()
    ) throws -> Bool {
        guard let index = record.states.firstIndex(where: { $0.keyID == distribution.keyID }) else {
            record.insert(.remote(distribution))
            return true
        }
        guard record.states[index].signingKey == distribution.signingKey else {
            record.states.remove(at: index)
            record.insert(.remote(distribution))
            return true
        }
        guard case .remote(var chain, let firstIteration) = record.states[index].role,
            distribution.iteration < firstIteration
        else { return false }
        guard firstIteration - distribution.iteration <= limits.forwardJump else {
            throw SignalError.tooFarAhead(counter: distribution.iteration)
        }
        var engine = HMACEngine(.sha256)
        chain.extendBackwards(
            from: ChainKey(key: distribution.chainKey, index: distribution.iteration), upTo: firstIteration, &engine)
        record.states[index].role = .remote(chain, firstIteration: distribution.iteration)
        return true
    }

    /// Encrypts with our own newest key, advancing it. Throws `noSenderKey` when there is none.
    package static func encrypt(
        _ plaintext: Bytes, record: inout SenderKeyRecord, random: some RandomSource
    ) throws -> Ciphertext {
        guard let state = record.states.first, case .own(_, let signing) = state.role else {
            throw SignalError.noSenderKey
        }
        var engine = HMACEngine(.sha256)
        var taken: (counter: UInt32, seed: SecretBytes)?
        try record.states[0].withReserved { taken = try $0.take(&engine) }
        guard let (iteration, seed) = taken else { throw SignalError.noSenderKey }
        let keys = seed.withUnsafeBytes { MessageKeys.group(seed: $0, &engine) }
        var message = SenderKeyMessage.encode(
            keyID: state.keyID, iteration: iteration, ciphertext: try keys.encrypt(plaintext))
        message += signing.sign(message, random: random.bytes(XEdDSA.randomCount))
        return Ciphertext(
            bytes: message, keyID: state.keyID, iteration: iteration,
            cover: record.states[0].reserved?.cover(of: iteration) ?? .needsImage)
    }

    /// Decrypts a message of another. Throws `noSenderKey`, `noSenderKeyState`, `invalidSignature`, `duplicateMessage`,
    /// `tooFarAhead` or `invalidMessage`; then the record is unchanged.
    package static func decrypt(
        _ message: SenderKeyMessage, record: inout SenderKeyRecord, limits: SignalLimits = SignalLimits()
    ) throws -> Bytes {
        guard !record.isEmpty else { throw SignalError.noSenderKey }
        guard let index = record.states.firstIndex(where: { $0.keyID == message.keyID }) else {
            throw SignalError.noSenderKeyState(keyID: message.keyID)
        }
        let verification = record.states[index].verification ?? VerificationKey(record.states[index].signingKey)
        record.states[index].verification = verification
        guard verification.verify(signature: message.signature, of: message.signed) else {
            throw SignalError.invalidSignature
        }
        var engine = HMACEngine(.sha256)
        let step: MessageChain.Step
        switch record.states[index].role {
        case .own: throw SignalError.duplicateMessage(counter: message.iteration)
        case .remote(let chain, _): step = try chain.step(to: message.iteration, limits: limits, &engine)
        }
        let keys = step.seed.withUnsafeBytes { MessageKeys.group(seed: $0, &engine) }
        let plaintext = try keys.decrypt(message.ciphertext)
        record.states[index].apply(step)
        return plaintext
    }
}
