import Cryptography

/// Encrypts and decrypts pairwise messages with a record's sessions.
package enum SessionCipher {
    /// What decrypting told, besides the plaintext.
    package struct DecryptResult: Sendable {
        package let plaintext: Bytes
        /// The identity of the session that decrypted: to be checked for trust, and stored with the record.
        package let remoteIdentity: PublicKey
        /// The one-time prekey that the message used up: to be deleted in the commit that stores the record.
        package let usedPreKeyID: UInt32?
        /// Whether the message started a session.
        package let startedSession: Bool
    }

    /// Encrypts with the current session, advancing it. Throws `noSession` when there is none.
    ///
    /// The ciphertext may leave when its `cover` allows it.
    package static func encrypt(_ plaintext: Bytes, record: inout SessionRecord) throws -> SessionCiphertext {
        var engine = HMACEngine(.sha256)
        guard let ciphertext = try record.current?.encrypt(plaintext, &engine) else { throw SignalError.noSession }
        return ciphertext
    }

    /// Decrypts a `msg` with whichever session it belongs to; an archived one becomes current (03-signal, section 6.4).
    ///
    /// States that know the message's ratchet key come first, since the others would need a ratchet step to find out that
    /// it is not theirs. Throws `duplicateMessage`, `noSession`, `badMAC`, `tooFarAhead`, `invalidMessage`, `invalidKey` or
    /// `noValidSession`; then the record is unchanged.
    package static func decrypt(
        _ message: SignalMessage, record: inout SessionRecord, random: some RandomSource,
        limits: SignalLimits = SignalLimits()
    ) throws -> DecryptResult {
        var engine = HMACEngine(.sha256)
        guard !record.isEmpty else { throw SignalError.noSession }
        var failures: [SignalError] = []
        var archiveLimits = limits
        archiveLimits.forwardJump = min(limits.forwardJump, SignalLimits.archivedJump)
        for known in [true, false] {
            if let state = record.current, state.knows(message.ratchetKey) == known {
                do {
                    return try decryptCurrent(message, &record, random, limits, &engine)
                } catch let error as SignalError {
                    if case .duplicateMessage = error { throw error }
                    failures.append(error)
                }
            }
            for index in record.archived.indices where record.archived[index].knows(message.ratchetKey) == known {
                do {
                    return try decryptArchived(index, message, &record, random, known ? limits : archiveLimits, &engine)
                } catch let error as SignalError {
                    if case .duplicateMessage = error { throw error }
                    failures.append(error)
                }
            }
            // No other state can be right for a ratchet key that one of them knows.
            if known, !failures.isEmpty { break }
        }
        guard let first = failures.first, failures.allSatisfy({ $0 == first }) else { throw SignalError.noValidSession }
        throw first
    }

    /// Decrypts a `pkmsg`, starting its session unless the record knows its base key (section 5.2).
    ///
    /// The caller has checked the trust of `message.identityKey`. `signedPreKey` and `oneTimePreKey` are the keys that the
    /// message names, nil when they are not there; they are not looked at when the base key is known. Throws what
    /// `decrypt(_:record:random:limits:)` throws, `missingSignedPreKey` and `missingPreKey`; then the record is unchanged
    /// and the prekey stays.
    package static func decrypt(
        _ message: PreKeySignalMessage, record: inout SessionRecord, identity: KeyPair, registrationID: UInt32,
        signedPreKey: KeyPair?, oneTimePreKey: KeyPair?, random: some RandomSource,
        limits: SignalLimits = SignalLimits()
    ) throws -> DecryptResult {
        var engine = HMACEngine(.sha256)
        if record.current?.baseKey == message.baseKey {
            return try decryptCurrent(message.message, &record, random, limits, &engine)
        }
        if let index = record.archived.firstIndex(where: { $0.baseKey == message.baseKey }) {
            return try decryptArchived(index, message.message, &record, random, limits, &engine)
        }
        guard let signedPreKey else { throw SignalError.missingSignedPreKey(id: message.signedPreKeyID) }
        if let id = message.preKeyID, oneTimePreKey == nil { throw SignalError.missingPreKey(id: id) }
        var state = try SessionBuilder.respond(
            to: message, identity: identity, registrationID: registrationID, signedPreKey: signedPreKey,
            oneTimePreKey: message.preKeyID == nil ? nil : oneTimePreKey, &engine)
        let plaintext = try state.decrypt(message.message, random: random, limits: limits, &engine)
        record.replaceCurrent(with: state)
        return DecryptResult(
            plaintext: plaintext, remoteIdentity: message.identityKey, usedPreKeyID: message.preKeyID,
            startedSession: true)
    }

    private static func decryptCurrent(
        _ message: SignalMessage, _ record: inout SessionRecord, _ random: some RandomSource, _ limits: SignalLimits,
        _ engine: inout HMACEngine
    ) throws -> DecryptResult {
        guard
            let plaintext = try record.current?
                .decrypt(message, random: random, limits: limits, &engine),
            let remoteIdentity = record.current?.remoteIdentity
        else { throw SignalError.noSession }
        return DecryptResult(
            plaintext: plaintext, remoteIdentity: remoteIdentity, usedPreKeyID: nil, startedSession: false)
    }

    private static func decryptArchived(
        _ index: Int, _ message: SignalMessage, _ record: inout SessionRecord, _ random: some RandomSource,
        _ limits: SignalLimits, _ engine: inout HMACEngine
    ) throws -> DecryptResult {
        var state = record.archived[index]
        let plaintext = try state.decrypt(message, random: random, limits: limits, &engine)
        record.promote(archivedAt: index, as: state)
        return DecryptResult(
            plaintext: plaintext, remoteIdentity: state.remoteIdentity, usedPreKeyID: nil, startedSession: false)
    }
}
