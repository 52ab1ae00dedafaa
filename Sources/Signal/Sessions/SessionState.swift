import Cryptography

/// One session with a remote device: a double ratchet in one of its lives (03-signal, sections 6.2 and 8.1).
package struct SessionState: Sendable {
    /// Both identities as they were when the session was made; they enter every MAC.
    package let localIdentity: PublicKey
    package let remoteIdentity: PublicKey
    /// The initiator's base key, which names the session on both sides.
    package let baseKey: PublicKey
    package let localRegistrationID: UInt32
    /// Compared when a retry receipt comes.
    package let remoteRegistrationID: UInt32

    var rootKey: SecretBytes
    /// Last counter of the previous sending chain, 0 when it was never used.
    var previousCounter: UInt32
    var sender: SendingRatchet
    /// Oldest first.
    var receivers: [ReceivingRatchet]
    /// Set on the initiator until a message decrypts.
    var pending: PendingPreKey?
}

/// The sending half of a ratchet.
struct SendingRatchet: Sendable {
    let ratchetKey: KeyPair
    var chain: ReservedChain
}

/// A receiving half, named by the remote ratchet key.
struct ReceivingRatchet: Sendable {
    let ratchetKey: PublicKey
    var chain: MessageChain
}

/// What an initiator repeats in each pkmsg until the responder answers.
package struct PendingPreKey: Sendable, Equatable {
    package let oneTimePreKeyID: UInt32?
    package let signedPreKeyID: UInt32
}

extension SessionState {
    /// Encrypts one message (03-signal, section 6.3), advancing the sending chain in place.
    mutating func encrypt(_ plaintext: Bytes, _ engine: inout HMACEngine) throws -> SessionCiphertext {
        let (counter, seed) = try sender.chain.take(&engine)
        let keys = seed.withUnsafeBytes { MessageKeys.session(seed: $0, &engine) }
        var message = SignalMessage.encode(
            ratchetKey: sender.ratchetKey.publicKey, counter: counter, previousCounter: previousCounter,
            ciphertext: try keys.encrypt(plaintext))
        message += keys.mac(sender: localIdentity, receiver: remoteIdentity, message: message, &engine)
        guard let pending else {
            return SessionCiphertext(
                type: .whisper, bytes: message, counter: counter, cover: sender.chain.cover(of: counter))
        }
        let wrapped = PreKeySignalMessage.encode(
            pending: pending, baseKey: baseKey, identityKey: localIdentity, registrationID: localRegistrationID,
            message: message)
        return SessionCiphertext(
            type: .preKey, bytes: wrapped, counter: counter, cover: sender.chain.cover(of: counter))
    }

    /// Whether a receiving chain for this remote ratchet key exists.
    func knows(_ ratchetKey: PublicKey) -> Bool { receivers.contains { $0.ratchetKey == ratchetKey } }

    /// Decrypts one message (03-signal, section 6.4). Nothing changes unless the message is genuine.
    ///
    /// - Returns: the plaintext.
    mutating func decrypt(
        _ message: SignalMessage, random: some RandomSource, limits: SignalLimits, _ engine: inout HMACEngine
    ) throws -> Bytes {
        if let position = receivers.lastIndex(where: { $0.ratchetKey == message.ratchetKey }) {
            let step = try receivers[position].chain.step(to: message.counter, limits: limits, &engine)
            let plaintext = try open(message, seed: step.seed, &engine)
            receivers[position].chain.apply(step)
            pending = nil
            return plaintext
        }
        let (root, position) = try RootKey.step(
            rootKey, own: sender.ratchetKey.privateKey, remote: message.ratchetKey, &engine)
        var chain = MessageChain(position)
        let step = try chain.step(to: message.counter, limits: limits, &engine)
        let plaintext = try open(message, seed: step.seed, &engine)
        chain.apply(step)

        let fresh = KeyPair.generate(random: random)
        let (nextRoot, sending) = try RootKey.step(root, own: fresh.privateKey, remote: message.ratchetKey, &engine)
        receivers.append(ReceivingRatchet(ratchetKey: message.ratchetKey, chain: chain))
        if receivers.count > SignalLimits.receivingChains {
            receivers.removeFirst(receivers.count - SignalLimits.receivingChains)
        }
        previousCounter = sender.chain.used > 0 ? sender.chain.used - 1 : 0
        sender = SendingRatchet(ratchetKey: fresh, chain: ReservedChain(born: sending))
        sender.chain.extend(&engine)
        rootKey = nextRoot
        pending = nil
        return plaintext
    }

    /// Checks the MAC over the received bytes, in constant time and before decrypting.
    private func open(_ message: SignalMessage, seed: SecretBytes, _ engine: inout HMACEngine) throws -> Bytes {
        let keys = seed.withUnsafeBytes { MessageKeys.session(seed: $0, &engine) }
        let mac = keys.mac(
            sender: remoteIdentity, receiver: localIdentity, message: message.authenticated, &engine)
        guard constantTimeEquals(mac, message.mac) else { throw SignalError.badMAC }
        return try keys.decrypt(message.ciphertext)
    }
}
