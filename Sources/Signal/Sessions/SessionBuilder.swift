import Cryptography

/// Starts sessions.
package enum SessionBuilder {
    /// Starts a session with the device of `bundle` (03-signal, section 5.1); the record's current session is archived.
    ///
    /// The caller has checked the identity's trust. Draws the base key, then the ratchet key. Throws `invalidSignature`
    /// (the signed prekey is not signed by the bundle's identity) or `invalidKey`; then the record is unchanged.
    package static func process(
        bundle: PreKeyBundle, record: inout SessionRecord, identity: KeyPair, registrationID: UInt32,
        random: some RandomSource
    ) throws {
        try bundle.verifySignature()
        var engine = HMACEngine(.sha256)
        let baseKey = KeyPair.generate(random: random)
        var agreements = [
            (identity.privateKey, bundle.signedPreKey), (baseKey.privateKey, bundle.identityKey),
            (baseKey.privateKey, bundle.signedPreKey),
        ]
        if let oneTime = bundle.oneTimePreKey { agreements.append((baseKey.privateKey, oneTime)) }
        let (root, received) = try X3DH.derive(agreements, &engine)
        let ratchetKey = KeyPair.generate(random: random)
        let (nextRoot, sending) = try RootKey.step(
            root, own: ratchetKey.privateKey, remote: bundle.signedPreKey, &engine)

        var sender = SendingRatchet(ratchetKey: ratchetKey, chain: ReservedChain(born: sending))
        sender.chain.extend(&engine)
        record.replaceCurrent(
            with: SessionState(
                localIdentity: identity.publicKey, remoteIdentity: bundle.identityKey, baseKey: baseKey.publicKey,
                localRegistrationID: registrationID, remoteRegistrationID: bundle.registrationID, rootKey: nextRoot,
                previousCounter: 0, sender: sender,
                receivers: [ReceivingRatchet(ratchetKey: bundle.signedPreKey, chain: MessageChain(received))],
                pending: PendingPreKey(
                    oneTimePreKeyID: bundle.oneTimePreKey == nil ? nil : bundle.oneTimePreKeyID,
                    signedPreKeyID: bundle.signedPreKeyID)))
    }

    /// The state that a pkmsg starts at its receiver, before the message inside is decrypted (section 5.2).
    static func respond(
        to message: PreKeySignalMessage, identity: KeyPair, registrationID: UInt32, signedPreKey: KeyPair,
        oneTimePreKey: KeyPair?, _ engine: inout HMACEngine
    ) throws -> SessionState {
        var agreements = [
            (signedPreKey.privateKey, message.identityKey), (identity.privateKey, message.baseKey),
            (signedPreKey.privateKey, message.baseKey),
        ]
        if let oneTimePreKey { agreements.append((oneTimePreKey.privateKey, message.baseKey)) }
        let (root, chain) = try X3DH.derive(agreements, &engine)
        return SessionState(
            localIdentity: identity.publicKey, remoteIdentity: message.identityKey, baseKey: message.baseKey,
            localRegistrationID: registrationID, remoteRegistrationID: message.registrationID, rootKey: root,
            previousCounter: 0,
            // The inner message steps the root and replaces this chain at once, so nothing is reserved on it.
            sender: SendingRatchet(ratchetKey: signedPreKey, chain: ReservedChain(born: chain)), receivers: [],
            pending: nil)
    }
}
