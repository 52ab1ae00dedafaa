import Messaging

/// All waiting change sets of one device as one: what they come to when applied in order.
///
/// Newer images of a record replace older ones, counters add up, and no key occurs twice, which set-based upserts demand
/// (16-performance-durability, sections 1.6 and 5.4). A change of the credentials applies before everything else here, so
/// a set with one must be the first.
package struct DeviceChanges {
    struct SessionState {
        var rev: Int64
        /// nil deletes the session.
        var record: [UInt8]?
        /// The stored archive goes before `archive` applies: the session was deleted in between.
        var wipesArchive: Bool
        /// By base key; nil drops the state. `order` counts up with age.
        var archive: [[UInt8]: (record: [UInt8]?, order: Int)] = [:]
    }

    enum PreKeyState {
        case new(PreKeyRow)
        case uploaded
        case used
    }

    enum UserDevicesState {
        case list(UserDeviceList)
        case forgotten
    }

    struct ReceiptTimes {
        var delivered: Timestamp?
        var read: Timestamp?
        var played: Timestamp?
    }

    struct MessageKey: Hashable {
        let chat: String
        let messageID: String
        let fromMe: Bool
    }

    struct ReceiptKey: Hashable {
        let chat: String
        let messageID: String
        let recipient: String
    }

    struct SecretKey: Hashable {
        let chat: String
        let sender: String
        let messageID: String
    }

    struct SenderKeyName: Hashable {
        let group: String
        let sender: String
    }

    struct MarkKey: Hashable {
        let group: String
        let address: String
    }

    let did: Int64
    let epoch: Int64

    private(set) var credentials: CredentialsChange?
    private(set) var sessions: [String: SessionState] = [:]
    private(set) var senderKeys: [SenderKeyName: SenderKeyImage] = [:]
    private(set) var markRemovals: [SenderKeyMarkRemoval] = []
    private(set) var marks: [MarkKey: UInt32] = [:]
    /// nil forgets the identity.
    private(set) var identities: [String: [UInt8]?] = [:]
    private(set) var preKeys: [UInt32: PreKeyState] = [:]
    private(set) var nextPreKeyID: UInt32?
    private(set) var appStateKeys: [[UInt8]: AppStateKeyRow] = [:]

    private(set) var lidToPN: [String: String] = [:]
    /// LIDs whose number went to another LID.
    private(set) var displacedLIDs: Set<String> = []
    private(set) var userDevices: [String: UserDevicesState] = [:]
    private(set) var privacyTokens: [String: PrivacyTokenRow] = [:]
    private(set) var contacts: [String: ContactUpdate] = [:]
    private(set) var groups: [String: GroupCacheRow] = [:]

    private(set) var handled: [[UInt8]: Int64] = [:]
    /// In the order in which they came; a placeholder keeps its place when the readable message follows it.
    private(set) var messages: [MessageRow] = []
    private var messagePlaces: [MessageKey: Int] = [:]
    /// Applied in rounds: the first of every message, then the second of those that have one.
    private(set) var messageUpdates: [MessageKey: [MessageUpdate]] = [:]
    private(set) var receipts: [ReceiptKey: ReceiptTimes] = [:]
    private(set) var secrets: [SecretKey: [UInt8]] = [:]
    private(set) var retries: [MessageName: RetryRow] = [:]
    private(set) var settledSends: Set<MessageName> = []
    private(set) var failedSends: [MessageName: SendFate] = [:]
    private(set) var chats: [String: ChatUpdate] = [:]
    private(set) var idempotencyBegun: [String: (hash: [UInt8], message: MessageName?)] = [:]
    private(set) var idempotencyFinished: [String: StoredAnswer] = [:]
    private(set) var idempotencyFates: [String: SendFate] = [:]
    private(set) var idempotencyAbandoned: Set<String> = []
    private(set) var jobs: [String: JobRow] = [:]

    private(set) var device = DeviceRowUpdate()
    private(set) var events: [DeviceEvent] = []
    private var eventKeys: Set<String> = []

    init(_ first: ChangeSet) {
        did = first.did
        epoch = first.epoch
        credentials = first.credentials
        add(first)
    }

    /// Adds the device's next set. It must not change the credentials.
    mutating func add(_ set: ChangeSet) {
        addSignal(set)
        addUsers(set)
        addMessages(set)
        device = device.merging(set.device)
        for event in set.events where eventKeys.insert(event.dedupeKey).inserted { events.append(event) }
    }

    // MARK: Signal state

    private mutating func addSignal(_ set: ChangeSet) {
        for image in set.sessions { add(image) }
        for image in set.senderKeys {
            let name = SenderKeyName(group: image.group, sender: image.sender)
            if image.rev > senderKeys[name]?.rev ?? .min { senderKeys[name] = image }
        }
        for removal in set.senderKeyMarkRemovals {
            markRemovals.append(removal)
            marks = marks.filter { mark in
                switch removal {
                case .group(let group): mark.key.group != group
                case .address(let address): mark.key.address != address
                case .device(let group, let address): mark.key != MarkKey(group: group, address: address)
                }
            }
        }
        for mark in set.senderKeyMarks { marks[MarkKey(group: mark.group, address: mark.address)] = mark.keyID }
        for row in set.identities { identities.updateValue(row.identity, forKey: row.address) }
        for key in set.newPreKeys { preKeys[key.id] = .new(key) }
        for id in set.usedPreKeys { preKeys[id] = .used }
        for id in set.uploadedPreKeys {
            switch preKeys[id] {
            case .new(var key):
                key.uploaded = true
                preKeys[id] = .new(key)
            case .used: break
            case .uploaded, nil: preKeys[id] = .uploaded
            }
        }
        nextPreKeyID = set.nextPreKeyID ?? nextPreKeyID
        for key in set.appStateKeys where key.timestamp >= appStateKeys[key.keyID]?.timestamp ?? .min {
            appStateKeys[key.keyID] = key
        }
    }

    private mutating func add(_ image: SessionImage) {
        let old = sessions[image.address]
        if let old, old.rev >= image.rev { return }
        guard let record = image.record else {
            sessions[image.address] = SessionState(rev: image.rev, record: nil, wipesArchive: true)
            return
        }
        var state = SessionState(rev: image.rev, record: record, wipesArchive: old?.wipesArchive ?? false)
        state.archive = (old?.archive ?? [:]).mapValues { ($0.record, $0.order + image.archived.count) }
        for key in image.droppedArchive { state.archive[key] = (nil, 0) }
        for (order, archived) in image.archived.enumerated() {
            state.archive[archived.baseKey] = (archived.record, order)
        }
        sessions[image.address] = state
    }

    // MARK: Users

    private mutating func addUsers(_ set: ChangeSet) {
        for pair in set.lidPairs {
            for (lid, pn) in lidToPN where pn == pair.pn && lid != pair.lid {
                lidToPN[lid] = nil
                displacedLIDs.insert(lid)
            }
            displacedLIDs.remove(pair.lid)
            lidToPN[pair.lid] = pair.pn
        }
        for list in set.userDevices { userDevices[list.user] = .list(list) }
        for user in set.forgottenUserDevices { userDevices[user] = .forgotten }
        for token in set.privacyTokens {
            var merged = privacyTokens[token.user] ?? token
            if token.timestamp >= merged.timestamp { (merged.token, merged.timestamp) = (token.token, token.timestamp) }
            merged.senderTimestamp = token.senderTimestamp ?? merged.senderTimestamp
            privacyTokens[token.user] = merged
        }
        for contact in set.contacts {
            var merged = contacts[contact.jid] ?? ContactUpdate(jid: contact.jid)
            merged.pushName = contact.pushName ?? merged.pushName
            merged.businessName = contact.businessName ?? merged.businessName
            contacts[contact.jid] = merged
        }
        for group in set.groups { groups[group.group] = group }
    }

    // MARK: Messages

    private mutating func addMessages(_ set: ChangeSet) {
        for row in set.handledCiphertexts { handled[row.hash] = row.serverTimestamp }
        for row in set.messages {
            let key = MessageKey(chat: row.chat, messageID: row.messageID, fromMe: row.fromMe)
            if let place = messagePlaces[key] {
                if messages[place].type == MessageRow.placeholderType { messages[place] = row }
            } else {
                messagePlaces[key] = messages.count
                messages.append(row)
            }
            // Sent again under its id: what became of it before is history.
            if row.isIntent { messageUpdates[key]?.removeAll { $0.status == .failed } }
        }
        for update in set.messageUpdates {
            let key = MessageKey(chat: update.chat, messageID: update.messageID, fromMe: update.fromMe)
            messageUpdates[key, default: []].append(update)
        }
        for row in set.receipts {
            let key = ReceiptKey(chat: row.chat, messageID: row.messageID, recipient: row.recipient)
            var times = receipts[key] ?? ReceiptTimes()
            switch row.kind {
            case .delivered: times.delivered = times.delivered ?? row.at
            case .read: times.read = times.read ?? row.at
            case .played: times.played = times.played ?? row.at
            }
            receipts[key] = times
        }
        for row in set.messageSecrets {
            let key = SecretKey(chat: row.chat, sender: row.sender, messageID: row.messageID)
            secrets[key] = secrets[key] ?? row.secret
        }
        for row in set.retries {
            let name = MessageName(chat: row.chat, messageID: row.messageID)
            retries[name] = row
            settledSends.remove(name)
            failedSends[name] = nil
        }
        for name in set.settledSends {
            retries[name]?.sendBy = nil
            settledSends.insert(name)
        }
        for send in set.failedSends { failedSends[send.name] = send.fate }
        for chat in set.chats { add(chat) }
        for change in set.idempotency {
            switch change {
            case .begin(let key, let hash, let message):
                idempotencyBegun[key] = idempotencyBegun[key] ?? (hash, message)
            case .finish(let key, let answer): idempotencyFinished[key] = answer
            case .fate(let key, let fate): idempotencyFates[key] = fate
            case .abandon(let key):
                idempotencyBegun[key] = nil
                idempotencyAbandoned.insert(key)
            }
        }
        for job in set.jobs {
            let name = "\(job.kind.rawValue) \(job.key)"
            jobs[name] = jobs[name] ?? job
        }
    }

    private mutating func add(_ chat: ChatUpdate) {
        guard let old = chats[chat.chat] else {
            chats[chat.chat] = chat
            return
        }
        var merged = old
        merged.name = chat.name ?? old.name
        if let last = chat.lastMessage, last.at >= old.lastMessage?.at ?? last.at { merged.lastMessage = last }
        merged.unreadIncrement = chat.markRead ? chat.unreadIncrement : old.unreadIncrement + chat.unreadIncrement
        merged.markRead = old.markRead || chat.markRead
        merged.ephemeral = chat.ephemeral ?? old.ephemeral
        chats[chat.chat] = merged
    }
}

extension MessageRow {
    /// Type of the row that stands for a message that could not be read yet.
    static let placeholderType = "undecryptable"

    /// Whether this is an own message that is about to be sent.
    var isIntent: Bool { fromMe && status == .pending }
}
