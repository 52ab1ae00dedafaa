/// Everything one received stanza or one send changes, applied in one transaction or not at all.
///
/// This is the only way Messaging writes. A set belongs to one device and carries the epoch of its lease: a store whose
/// lease row shows another epoch refuses it (14-storage, section 7.3). Applying a set twice has the effect of applying it
/// once: images carry `rev`, inserts have natural keys, states only rise.
package struct ChangeSet: Sendable {
    /// Internal number of the device (`did` of 14-storage, section 3) and the epoch of the lease it is owned under.
    package let did: Int64
    package let epoch: Int64

    // Signal state
    package var credentials: CredentialsChange?
    package var sessions: [SessionImage] = []
    package var senderKeys: [SenderKeyImage] = []
    package var senderKeyMarks: [SenderKeyMark] = []
    /// Applied before `senderKeyMarks`.
    package var senderKeyMarkRemovals: [SenderKeyMarkRemoval] = []
    package var identities: [IdentityRow] = []
    package var newPreKeys: [PreKeyRow] = []
    package var usedPreKeys: [UInt32] = []
    package var uploadedPreKeys: [UInt32] = []
    /// New value of the credentials' prekey counter; durable before the ids it covers are shown to anybody.
    package var nextPreKeyID: UInt32?
    package var appStateKeys: [AppStateKeyRow] = []

    // Users
    package var lidPairs: [LIDPair] = []
    package var userDevices: [UserDeviceList] = []
    package var forgottenUserDevices: [String] = []
    package var privacyTokens: [PrivacyTokenRow] = []
    package var contacts: [ContactUpdate] = []
    package var groups: [GroupCacheRow] = []

    // Messages
    /// SHA-256 of a ciphertext that was handled, with the server time of its stanza (04, section 18.1).
    package var handledCiphertexts: [HandledCiphertext] = []
    package var messages: [MessageRow] = []
    package var messageUpdates: [MessageUpdate] = []
    package var receipts: [ReceiptRow] = []
    package var messageSecrets: [MessageSecretRow] = []
    package var retries: [RetryRow] = []
    /// Sends that are settled: their `send_by` becomes NULL.
    package var settledSends: [MessageName] = []
    /// Why those of them that failed did.
    package var failedSends: [FailedSend] = []
    package var chats: [ChatUpdate] = []
    package var idempotency: [IdempotencyChange] = []
    package var jobs: [JobRow] = []

    // The device and its events
    package var device = DeviceRowUpdate()
    package var events: [DeviceEvent] = []

    package init(did: Int64, epoch: Int64) {
        self.did = did
        self.epoch = epoch
    }
}

package struct HandledCiphertext: Sendable, Hashable {
    /// 32 bytes.
    package var hash: [UInt8]
    /// Unix seconds.
    package var serverTimestamp: Int64

    package init(hash: [UInt8], serverTimestamp: Int64) {
        self.hash = hash
        self.serverTimestamp = serverTimestamp
    }
}

extension ChangeSet {
    package var isEmpty: Bool {
        credentials == nil && sessions.isEmpty && senderKeys.isEmpty && senderKeyMarks.isEmpty
            && senderKeyMarkRemovals.isEmpty && identities.isEmpty && newPreKeys.isEmpty && usedPreKeys.isEmpty
            && uploadedPreKeys.isEmpty && nextPreKeyID == nil && appStateKeys.isEmpty && lidPairs.isEmpty
            && userDevices.isEmpty && forgottenUserDevices.isEmpty && privacyTokens.isEmpty && contacts.isEmpty
            && groups.isEmpty && handledCiphertexts.isEmpty && messages.isEmpty && messageUpdates.isEmpty
            && receipts.isEmpty && messageSecrets.isEmpty && retries.isEmpty && settledSends.isEmpty
            && failedSends.isEmpty && chats.isEmpty
            && idempotency.isEmpty && jobs.isEmpty && device.isEmpty && events.isEmpty
    }

    /// Bytes this set holds in the queue, roughly: what backpressure counts (16, section 2.4).
    package var approximateSize: Int {
        var size = 256
        for image in sessions {
            size += 128 + (image.record?.count ?? 0) + image.archived.reduce(0) { $0 + $1.record.count }
        }
        for image in senderKeys { size += 128 + (image.record?.count ?? 0) }
        for row in messages { size += 256 + (row.body?.utf8.count ?? 0) + (row.content?.count ?? 0) }
        for row in retries { size += 128 + row.plaintext.count }
        for row in jobs { size += 64 + row.payload.count }
        for row in groups { size += 64 + (row.info?.count ?? 0) }
        for event in events { size += 128 + event.data.count }
        size += 64 * (newPreKeys.count + identities.count + lidPairs.count + senderKeyMarks.count + receipts.count)
        return size
    }
}
