import Cryptography
import Signal
import Transport

/// The phone's use of the Signal protocol: every record is loaded, worked on and saved in one step.
extension Phone {
    private func sessionRandom(_ address: SignalAddress) -> any RandomSource { random("session/\(address)") }

    /// A new one-time prekey, public half; its id counts up.
    func makeOneTimePreKey() -> Device.OneTimePreKey {
        let key = keys.makePreKey(random: random("prekeys"))
        return Device.OneTimePreKey(id: key.id, key: key.keyPair.publicKey)
    }

    // MARK: Pairwise

    /// Builds a session from the server's bundle of a device; false when there is none.
    func startSession(with device: Device) throws -> Bool {
        guard let bundle = world.takeBundle(for: device.jid(in: .lid)) else { return false }
        try startSession(
            SignalAddress(device.jid(in: .lid)),
            PreKeyBundle(
                registrationID: bundle.registrationID, deviceID: UInt32(device.id), identityKey: bundle.identityKey,
                signedPreKeyID: bundle.signedPreKey.id, signedPreKey: bundle.signedPreKey.key,
                signedPreKeySignature: bundle.signedPreKey.signature, oneTimePreKeyID: bundle.oneTimePreKey?.id,
                oneTimePreKey: bundle.oneTimePreKey?.key))
        return true
    }

    /// Builds a session from the keys of a retry receipt.
    func startSession(with device: Device, _ keys: RetryKeys) throws {
        try startSession(
            SignalAddress(device.jid(in: .lid)),
            PreKeyBundle(
                registrationID: keys.registrationID, deviceID: UInt32(device.id), identityKey: keys.identity,
                signedPreKeyID: keys.signedPreKey.id, signedPreKey: keys.signedPreKey.key,
                signedPreKeySignature: keys.signedPreKey.signature, oneTimePreKeyID: keys.oneTimePreKey?.id,
                oneTimePreKey: keys.oneTimePreKey?.key))
    }

    private func startSession(_ address: SignalAddress, _ bundle: PreKeyBundle) throws {
        keys.note(identity: bundle.identityKey, of: address)
        var record = keys.session(address)
        try SessionBuilder.process(
            bundle: bundle, record: &record, identity: account.identity,
            registrationID: account.primary?.registrationID ?? 0, random: sessionRandom(address))
        keys.save(record, address)
    }

    /// `type` of the `<enc>` and its content.
    func encryptPairwise(_ padded: Bytes, to address: SignalAddress) throws -> (type: String, bytes: Bytes) {
        var record = keys.session(address)
        let ciphertext = try SessionCipher.encrypt(padded, record: &record)
        keys.save(record, address)
        return (ciphertext.type.encType, ciphertext.bytes)
    }

    /// Throws ``DecryptionFailure``.
    func decryptPairwise(_ ciphertext: Bytes, type: String, from address: SignalAddress) throws -> Bytes {
        do {
            let result: SessionCipher.DecryptResult
            var record: SessionRecord
            if type == "pkmsg" {
                let message = try PreKeySignalMessage(parsing: ciphertext)
                keys.note(identity: message.identityKey, of: address)
                record = keys.session(address)
                result = try SessionCipher.decrypt(
                    message, record: &record, identity: account.identity,
                    registrationID: account.primary?.registrationID ?? 0,
                    signedPreKey: message.signedPreKeyID == account.primary?.signedPreKey.id
                        ? account.phonePreKey : nil,
                    oneTimePreKey: message.preKeyID.flatMap { keys.preKey($0) }, random: sessionRandom(address))
            } else {
                record = keys.session(address)
                result = try SessionCipher.decrypt(
                    SignalMessage(parsing: ciphertext), record: &record, random: sessionRandom(address))
            }
            keys.save(record, address)
            if let used = result.usedPreKeyID { keys.removePreKey(used) }
            return result.plaintext
        } catch {
            throw DecryptionFailure(error)
        }
    }

    // MARK: Groups

    /// The serialized distribution of the own sender key at its current position; a key is made when there is none.
    func ownDistribution(of group: JID) -> Bytes {
        var record = keys.ownSenderKey(of: group)
        let distribution = GroupCipher.createDistribution(record: &record, random: random("sender-key/\(group.user)"))
        keys.saveOwn(record, of: group)
        return distribution.serialized()
    }

    func encryptGroup(_ padded: Bytes, group: JID) throws -> Bytes {
        var record = keys.ownSenderKey(of: group)
        let ciphertext = try GroupCipher.encrypt(
            padded, record: &record, random: random("sender-key/\(group.user)"))
        keys.saveOwn(record, of: group)
        return ciphertext.bytes
    }

    /// Throws ``DecryptionFailure``.
    func decryptGroup(_ ciphertext: Bytes, group: JID, from sender: SignalAddress) throws -> Bytes {
        do {
            var record = keys.senderKey(group: group, sender: sender)
            let plaintext = try GroupCipher.decrypt(SenderKeyMessage(parsing: ciphertext), record: &record)
            keys.save(record, group: group, sender: sender)
            return plaintext
        } catch {
            throw DecryptionFailure(error)
        }
    }

    /// Takes in another device's sender key. Throws ``DecryptionFailure``.
    func takeSenderKey(_ distribution: Bytes, group: JID, from sender: SignalAddress) throws {
        do {
            var record = keys.senderKey(group: group, sender: sender)
            try GroupCipher.process(SenderKeyDistributionMessage(parsing: distribution), record: &record)
            keys.save(record, group: group, sender: sender)
        } catch {
            throw DecryptionFailure(error)
        }
    }
}
