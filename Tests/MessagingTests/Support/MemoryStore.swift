import Cryptography
import NIOConcurrencyHelpers
import NIOCore

@testable import Messaging

/// All tables of one or more devices in memory, with the merge rules a real store has: revisions, first-wins inserts,
/// rising states, one event per dedupe key.
final class MemoryStore: DeviceStore {
    struct Device {
        var epoch: Int64 = 1
        var credentials: DeviceCredentials?
        var sessions: [String: StoredSession] = [:]
        var senderKeys: [String: [String: StoredSenderKey]] = [:]
        var marks: Set<SenderKeyMark> = []
        var identities: [String: [UInt8]] = [:]
        var preKeys: [UInt32: PreKeyRow] = [:]
        var appStateKeys: [[UInt8]: AppStateKeyRow] = [:]
        var pnByLID: [String: String] = [:]
        var lidByPN: [String: String] = [:]
        var userDevices: [String: UserDeviceList] = [:]
        var privacyTokens: [String: PrivacyTokenRow] = [:]
        var contacts: [String: ContactUpdate] = [:]
        var groups: [String: GroupCacheRow] = [:]
        var handled: Set<[UInt8]> = []
        var messages: [MessageRow] = []
        var receipts: [ReceiptRow] = []
        var secrets: [String: [UInt8]] = [:]
        var retries: [MessageName: RetryRow] = [:]
        var chats: [String: ChatUpdate] = [:]
        var idempotency: [String: IdempotencyChange] = [:]
        var jobs: [JobRow] = []
        var row = DeviceRowUpdate()
        var events: [DeviceEvent] = []
        var eventKeys: Set<String> = []
    }

    private let devices = NIOLockedValueBox<[Int64: Device]>([:])
    /// Thrown by every load while set.
    let loadFailure = NIOLockedValueBox<StoreError?>(nil)

    /// How often the timer of a chat was read.
    let timerReads = NIOLockedValueBox(0)

    /// Awaited before a sender key is read.
    let senderKeyLoads = NIOLockedValueBox<(@Sendable () async -> Void)?>(nil)

    func read<Result>(_ did: Int64, _ body: (Device) -> Result) -> Result {
        devices.withLockedValue { body($0[did] ?? Device()) }
    }

    func edit(_ did: Int64, _ body: (inout Device) -> Void) {
        devices.withLockedValue { body(&$0[did, default: Device()]) }
    }

    private func load<Result>(_ did: Int64, _ body: (Device) -> Result) throws -> Result {
        if let failure = loadFailure.withLockedValue({ $0 }) { throw failure }
        return read(did, body)
    }

    func credentials(did: Int64) async throws -> DeviceCredentials? { try load(did) { $0.credentials } }

    func sessions(did: Int64, addresses: [String]) async throws -> [String: StoredSession] {
        try load(did) { device in device.sessions.filter { addresses.contains($0.key) } }
    }

    func addresses(did: Int64, signalUser: String) async throws -> [String] {
        try load(did) { device in
            Set(device.sessions.keys).union(device.identities.keys).filter { $0.hasPrefix(signalUser + ":") }.sorted()
        }
    }

    func usersWithSessions(did: Int64, among users: [String]) async throws -> Set<String> {
        try load(did) { device in
            Set(users.filter { user in device.sessions.keys.contains { $0.hasPrefix(user + ":") } })
        }
    }

    func identities(did: Int64, addresses: [String]) async throws -> [String: [UInt8]] {
        try load(did) { device in device.identities.filter { addresses.contains($0.key) } }
    }

    func senderKey(did: Int64, group: String, sender: String) async throws -> StoredSenderKey? {
        await senderKeyLoads.withLockedValue { $0 }?()
        return try load(did) { $0.senderKeys[group]?[sender] }
    }

    func senderKeys(did: Int64, sender: String) async throws -> [String: StoredSenderKey] {
        try load(did) { device in device.senderKeys.compactMapValues { $0[sender] } }
    }

    func senderKeyMarks(did: Int64, group: String) async throws -> [SenderKeyMark] {
        try load(did) { device in device.marks.filter { $0.group == group } }
    }

    func groupsSharing(did: Int64, addresses: [String]) async throws -> [String] {
        try load(did) { device in Set(device.marks.filter { addresses.contains($0.address) }.map(\.group)).sorted() }
    }

    func preKey(did: Int64, id: UInt32) async throws -> SecretBytes? { try load(did) { $0.preKeys[id]?.privateKey } }

    func preKeys(did: Int64, ids: [UInt32]) async throws -> [UInt32: SecretBytes] {
        try load(did) { device in device.preKeys.filter { ids.contains($0.key) }.mapValues(\.privateKey) }
    }

    func preKeysToUpload(did: Int64, limit: Int) async throws -> [PreKeyRow] {
        try load(did) { device in
            Array(device.preKeys.values.filter { !$0.uploaded }.sorted { $0.id < $1.id }.prefix(limit))
        }
    }

    func uploadedPreKeyCount(did: Int64) async throws -> Int {
        try load(did) { device in device.preKeys.values.filter(\.uploaded).count }
    }

    func lids(did: Int64, pns: [String]) async throws -> [String: String] {
        try load(did) { device in device.lidByPN.filter { pns.contains($0.key) } }
    }

    func pns(did: Int64, lids: [String]) async throws -> [String: String] {
        try load(did) { device in device.pnByLID.filter { lids.contains($0.key) } }
    }

    func userDevices(did: Int64, users: [String]) async throws -> [String: UserDeviceList] {
        let users = Set(users)
        return try load(did) { device in device.userDevices.filter { users.contains($0.key) } }
    }

    func privacyToken(did: Int64, user: String) async throws -> PrivacyTokenRow? {
        try load(did) { $0.privacyTokens[user] }
    }

    func contact(did: Int64, jid: String) async throws -> ContactUpdate? { try load(did) { $0.contacts[jid] } }
    func group(did: Int64, group: String) async throws -> GroupCacheRow? { try load(did) { $0.groups[group] } }

    func isHandled(did: Int64, ciphertextHash: [UInt8]) async throws -> Bool {
        try load(did) { $0.handled.contains(ciphertextHash) }
    }

    func message(did: Int64, chat: String, messageID: String) async throws -> MessageRow? {
        try load(did) { device in device.messages.first { $0.chat == chat && $0.messageID == messageID } }
    }

    func messageSecret(did: Int64, chat: String, sender: String, messageID: String) async throws -> [UInt8]? {
        try load(did) { $0.secrets["\(chat) \(sender) \(messageID)"] }
    }

    func retry(did: Int64, chats: [String], messageID: String) async throws -> RetryRow? {
        try load(did) { device in
            chats.lazy.compactMap { device.retries[MessageName(chat: $0, messageID: messageID)] }.first
        }
    }

    func unsettledSends(did: Int64, limit: Int) async throws -> [RetryRow] {
        try load(did) { device in
            let rows = device.retries.values.filter { $0.sendBy != nil }.sorted { $0.insertedAt < $1.insertedAt }
            return rows.prefix(limit).map { row in
                var row = row
                row.idempotencyKey =
                    device.idempotency.first { _, change in
                        if case .begin(_, _, MessageName(chat: row.chat, messageID: row.messageID)?) = change {
                            true
                        } else {
                            false
                        }
                    }?.key
                return row
            }
        }
    }

    func ephemeralSeconds(did: Int64, chat: String) async throws -> Int {
        timerReads.withLockedValue { $0 += 1 }
        return try load(did) { $0.chats[chat]?.ephemeral?.seconds ?? 0 }
    }

    /// Applies one set; throws `CommitError.fenced` under another epoch.
    func apply(_ changes: ChangeSet) throws(CommitError) {
        let isFenced = devices.withLockedValue { devices in
            if devices[changes.did, default: Device()].epoch != changes.epoch { return true }
            devices[changes.did, default: Device()].apply(changes)
            return false
        }
        if isFenced { throw .fenced }
    }
}

extension MemoryStore.Device {
    fileprivate mutating func apply(_ changes: ChangeSet) {
        switch changes.credentials {
        case .store(let credentials), .paired(let credentials): self.credentials = credentials
        case .erase:
            var kept = MemoryStore.Device()
            kept.epoch = epoch
            (kept.messages, kept.receipts, kept.chats, kept.contacts) = (messages, receipts, chats, contacts)
            (kept.row, kept.events, kept.eventKeys, kept.idempotency) = (row, events, eventKeys, idempotency)
            self = kept
        case nil: break
        }
        if let next = changes.nextPreKeyID { credentials?.nextPreKeyID = next }
        applySignal(changes)
        applyUsers(changes)
        applyMessages(changes)
        row = row.merging(changes.device)
        for event in changes.events where holds(event.claim) && eventKeys.insert(event.dedupeKey).inserted {
            events.append(event)
        }
    }

    /// Whether no stored message contradicts the claim.
    private func holds(_ claim: AuthorshipClaim?) -> Bool {
        guard let claim else { return true }
        let found = messages.filter { $0.chat == claim.chat && $0.messageID == claim.messageID }
        return found.isEmpty || found.contains { $0.fromMe == claim.fromMe && $0.isBy(claim.author) }
    }

    private mutating func applySignal(_ changes: ChangeSet) {
        for image in changes.sessions where image.rev > sessions[image.address]?.rev ?? -1 {
            guard let record = image.record else {
                sessions[image.address] = nil
                continue
            }
            var archived = sessions[image.address]?.archived ?? []
            archived.removeAll { old in
                image.droppedArchive.contains(old.baseKey) || image.archived.contains { $0.baseKey == old.baseKey }
            }
            sessions[image.address] = StoredSession(rev: image.rev, record: record, archived: image.archived + archived)
        }
        for image in changes.senderKeys where image.rev > senderKeys[image.group]?[image.sender]?.rev ?? -1 {
            senderKeys[image.group, default: [:]][image.sender] = image.record.map { .init(rev: image.rev, record: $0) }
        }
        for removal in changes.senderKeyMarkRemovals {
            marks = marks.filter { mark in
                switch removal {
                case .group(let group): mark.group != group
                case .address(let address): mark.address != address
                case .device(let group, let address): mark.group != group || mark.address != address
                }
            }
        }
        marks.formUnion(changes.senderKeyMarks)
        for row in changes.identities { identities[row.address] = row.identity }
        for key in changes.newPreKeys { preKeys[key.id] = key }
        for id in changes.usedPreKeys { preKeys[id] = nil }
        for id in changes.uploadedPreKeys { preKeys[id]?.uploaded = true }
        for key in changes.appStateKeys { appStateKeys[key.keyID] = key }
    }

    private mutating func applyUsers(_ changes: ChangeSet) {
        for pair in changes.lidPairs {
            if let old = pnByLID[pair.lid] { lidByPN[old] = nil }
            if let old = lidByPN[pair.pn] { pnByLID[old] = nil }
            pnByLID[pair.lid] = pair.pn
            lidByPN[pair.pn] = pair.lid
        }
        for list in changes.userDevices { userDevices[list.user] = list }
        for user in changes.forgottenUserDevices { userDevices[user] = nil }
        for token in changes.privacyTokens {
            var merged = privacyTokens[token.user] ?? token
            if token.timestamp >= merged.timestamp { (merged.token, merged.timestamp) = (token.token, token.timestamp) }
            merged.senderTimestamp = token.senderTimestamp ?? merged.senderTimestamp
            privacyTokens[token.user] = merged
        }
        for contact in changes.contacts {
            var merged = contacts[contact.jid] ?? ContactUpdate(jid: contact.jid)
            merged.pushName = contact.pushName ?? merged.pushName
            merged.businessName = contact.businessName ?? merged.businessName
            contacts[contact.jid] = merged
        }
        for group in changes.groups { groups[group.group] = group.info == nil ? nil : group }
    }

    private mutating func applyMessages(_ changes: ChangeSet) {
        handled.formUnion(changes.handledCiphertexts.map(\.hash))
        for row in changes.messages {
            let index = messages.firstIndex {
                $0.chat == row.chat && $0.messageID == row.messageID && $0.fromMe == row.fromMe
            }
            if let index {
                let isSentAgain = row.fromMe && row.status == .pending && messages[index].status == .failed
                if messages[index].type == "undecryptable" || isSentAgain { messages[index] = row }
            } else {
                messages.append(row)
            }
        }
        for update in changes.messageUpdates {
            for index in messages.indices
            where messages[index].chat == update.chat && messages[index].messageID == update.messageID
                && messages[index].fromMe == update.fromMe && messages[index].isBy(update.author)
            {
                messages[index].apply(update)
            }
        }
        for receipt in changes.receipts
        where !receipts.contains(where: {
            $0.chat == receipt.chat && $0.messageID == receipt.messageID && $0.recipient == receipt.recipient
                && $0.kind == receipt.kind
        }) {
            receipts.append(receipt)
        }
        for row in changes.messageSecrets {
            let key = "\(row.chat) \(row.sender) \(row.messageID)"
            secrets[key] = secrets[key] ?? row.secret
        }
        for row in changes.retries { retries[MessageName(chat: row.chat, messageID: row.messageID)] = row }
        for name in changes.settledSends { retries[name]?.sendBy = nil }
        for chat in changes.chats {
            var merged = chat
            merged.lastMessage = chat.lastMessage ?? chats[chat.chat]?.lastMessage
            merged.ephemeral = chat.ephemeral ?? chats[chat.chat]?.ephemeral
            merged.unreadIncrement += chat.markRead ? 0 : chats[chat.chat]?.unreadIncrement ?? 0
            chats[chat.chat] = merged
        }
        for change in changes.idempotency {
            switch change {
            case .begin(let key, _, _): idempotency[key] = idempotency[key] ?? change
            case .finish(let key, _), .fate(let key, _): idempotency[key] = change
            case .abandon(let key): idempotency[key] = nil
            }
        }
        for job in changes.jobs where !jobs.contains(where: { $0.kind == job.kind && $0.key == job.key }) {
            jobs.append(job)
        }
    }
}

extension MessageRow {
    fileprivate func isBy(_ author: [String]?) -> Bool {
        author.map { $0.contains(sender) || senderAlternative.map($0.contains) ?? false } ?? true
    }

    fileprivate mutating func apply(_ update: MessageUpdate) {
        if let status = update.status, status != .failed || self.status == .pending, status > self.status {
            self.status = status
        }
        if let time = update.serverTimestamp { timestamp = time }
        if let serverID = update.serverID { self.serverID = serverID }
        if let edit = update.edit { (body, content) = (edit.body, edit.content) }
        if update.deletedAt != nil { (body, content) = (nil, nil) }
    }
}
