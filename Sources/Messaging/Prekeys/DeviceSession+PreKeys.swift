import Logging
import Cryptography
import Signal
import Transport

extension DeviceSession {
    /// After `<success>`: asks the count, fills up when the server or we run low (02-pairing-login, section 13.1).
    func preKeysAtLogin() async {
        do {
            guard let count = try await countPreKeys() else { return }
            let local = try await load { try await store.uploadedPreKeyCount(did: did) }
            if case .upload(let amount) = preKeyUpkeep.atLogin(serverCount: count, localCount: local) {
                try await uploadPreKeys(amount)
                _ = try? await countPreKeys()
            }
        } catch { logger.warning("prekeys at login failed", metadata: ["error": "\(error)"]) }
    }

    /// How many one-time keys the server has; nil when its answer does not say.
    private func countPreKeys() async throws -> Int? {
        let count = PreKeyStanzas.count(in: try await query { PreKeyStanzas.count(id: $0) })
        if let count { publish { $0.preKeysLeft = count } }
        return count
    }

    /// The server counted down to `count`.
    func preKeysRunLow(count: Int) async {
        publish { $0.preKeysLeft = count }
        var decision = preKeyUpkeep.notified(count: count, now: now)
        do {
            if decision == .askCount {
                decision = preKeyUpkeep.counted(try await countPreKeys() ?? .max)
            }
            if case .upload(let amount) = decision { try await uploadPreKeys(amount) }
        } catch { logger.warning("prekey refill failed", metadata: ["error": "\(error)"]) }
    }

    /// Uploads `count` keys: stored ones that were never confirmed first, fresh ones for the rest. Keys and counter are
    /// durable before the server sees an id; they are marked after its answer (14-storage, section 6, "Prekeys").
    func uploadPreKeys(_ count: Int) async throws {
        guard !preKeyUpkeep.isUploading else { return }
        preKeyUpkeep.began()
        var finishedAt: Timestamp?
        defer { preKeyUpkeep.finished(at: finishedAt) }
        var keys = try await load { try await store.preKeysToUpload(did: did, limit: count) }.map {
            OneTimePreKey(id: $0.id, keyPair: KeyPair(privateKey: try PrivateKey($0.privateKey)))
        }
        if keys.count < count {
            var draft = makeDraft()
            keys += makePreKeys(count - keys.count, uploaded: false, draft: &draft)
            try await commit(draft)
        }
        guard let own = self.keys?.publicKeys else { throw SessionError.notPaired }
        let uploaded = keys.map { (id: $0.id, publicKey: $0.keyPair.publicKey) }
        _ = try await query { PreKeyStanzas.upload(id: $0, device: own, preKeys: uploaded) }
        SessionMetrics.uploaded(preKeys: uploaded.count)
        publish { $0.preKeysLeft = $0.preKeysLeft.map { $0 + uploaded.count } }
        record { $0.uploadedPreKeys = uploaded.map(\.id) }
        finishedAt = now
    }

    /// Fresh one-time keys with the next ids, in the draft that makes them durable.
    func makePreKeys(_ count: Int, uploaded: Bool, draft: inout SignalDraft) -> [OneTimePreKey] {
        guard var changed = credentials else { return [] }
        // The counter names the next id; the generator wants the one before.
        let last = changed.nextPreKeyID == 1 ? 0 : changed.nextPreKeyID - 1
        let keys = OneTimePreKey.generate(count, after: last, random: AnyRandom(configuration.random))
        guard let newest = keys.last else { return [] }
        changed.nextPreKeyID = SignalNumbers.preKeyID(after: newest.id)
        credentials = changed
        draft.changes.newPreKeys += keys.map {
            PreKeyRow(id: $0.id, privateKey: $0.keyPair.privateKey.secret, uploaded: uploaded)
        }
        draft.changes.nextPreKeyID = changed.nextPreKeyID
        return keys
    }

    /// The private half of a one-time key a pkmsg names; nil when it is gone.
    func oneTimePreKey(id: UInt32) async throws -> KeyPair? {
        guard !ledger.usedPreKeys.contains(id) else { return nil }
        let secret = try await load { try await store.preKey(did: did, id: id) }
        guard !ledger.usedPreKeys.contains(id) else { return nil }
        return secret.flatMap { try? KeyPair(privateKey: PrivateKey($0)) }
    }

    // MARK: Digest and rotation

    private static let digestSeconds: Int64 = 7 * 86_400
    private static let rotationSeconds: Int64 = 30 * 86_400

    /// Once a week: does the server hold what we hold? If not, everything is uploaded again. A process that starts does not
    /// know when that was last, so its first check is somewhere in the week: not all devices ask after each restart.
    func checkDigestIfDue() async {
        if digestJob.due == nil, !isFirstLogin {
            digestJob = RecurringJob(due: now.adding(seconds: Int64(Double(Self.digestSeconds) * fraction())))
        }
        guard digestJob.isDue(at: now) else { return }
        await checkDigest()
    }

    func checkDigest() async {
        if await digestChecked() {
            digestJob.succeeded(next: now.adding(seconds: Self.digestSeconds))
        } else {
            digestJob.failed(at: now)
        }
    }

    /// Asks once and mends what differs; false when that did not come to an end.
    private func digestChecked() async -> Bool {
        do {
            let answer = try await query { PreKeyStanzas.digest(id: $0) }
            guard let digest = PreKeyDigest(answer: answer), let own = keys?.publicKeys else { return true }
            let ids = Array(digest.preKeyIDs.prefix(2000))
            let held = try await load { try await store.preKeys(did: did, ids: ids) }
            let listed = ids.compactMap { id in
                ledger.usedPreKeys.contains(id) ? nil : held[id].flatMap { try? PrivateKey($0).publicKey }
            }
            if !digest.matches(own, preKeys: listed.count == ids.count ? listed : nil) {
                try await uploadPreKeys(PreKeyUpkeep.refillCount)
            }
            return true
        } catch SessionError.serverRefused(404, _) {
            return (try? await uploadPreKeys(PreKeyUpkeep.initialCount)) != nil
        } catch {
            logger.info("digest check failed", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// A new signed prekey every 30 days; the old one stays for pkmsgs in flight (02, section 15.6). One that the server did
    /// not take is sent again.
    func rotateSignedPreKeyIfDue() async {
        if let job = rotationJob {
            if job.isDue(at: now) { await publishSignedPreKey() }
            return
        }
        guard var changed = credentials, let identity = keys?.identity.keyPair,
            now.seconds - changed.signedPreKey.createdAt.seconds >= Self.rotationSeconds
        else { return }
        let id = changed.signedPreKey.id >= 0xFF_FFFE ? 1 : changed.signedPreKey.id + 1
        let fresh = SignedPreKey.generate(id: id, identity: identity, random: AnyRandom(configuration.random))
        changed.previousSignedPreKey = changed.signedPreKey
        changed.signedPreKey = SignedPreKeyRow(fresh, createdAt: now)
        credentials = changed
        rotationJob = RecurringJob()
        await publishSignedPreKey()
    }

    /// Makes the newest signed prekey durable, whatever became of an attempt before; only then anything names it.
    private func storeSignedPreKey() async throws {
        guard let current = credentials else { throw SessionError.notPaired }
        var draft = makeDraft()
        draft.changes.credentials = .store(current)
        try await commit(draft)
        guard credentials?.signedPreKey == current.signedPreKey else { throw SessionError.notPaired }
        do { keys = try OwnKeys(current) } catch { throw SessionError.storageUnavailable }
    }

    /// Tells the server the newest signed prekey. A bad key (406) and faults of the server are tried again later; any other
    /// answer means that the two disagree, which the digest shows.
    private func publishSignedPreKey() async {
        do {
            try await storeSignedPreKey()
            guard let own = keys?.publicKeys else { return }
            _ = try await query {
                PreKeyStanzas.rotate(
                    id: $0, keyID: own.signedPreKeyID, own.signedPreKey, signature: own.signedPreKeySignature)
            }
            rotationJob = nil
        } catch SessionError.serverRefused(let code, _) where code != 406 && code < 500 {
            rotationJob = nil
            await checkDigest()
        } catch {
            logger.warning("signed prekey was not taken", metadata: ["error": "\(error)"])
            rotationJob?.failed(at: now)
        }
    }
}

/// A random source of any kind where a generic one is asked for.
struct AnyRandom: RandomSource {
    private let source: any RandomSource

    init(_ source: any RandomSource) { self.source = source }

    func bytes(_ count: Int) -> [UInt8] { source.bytes(count) }
}
