import Cryptography
import OrderedCollections
import Signal
import Transport
import WhatsAppProtobuf

/// What a phone sends to a companion after its first login (09-sandbox-server, section 19.4): keys, then history.
extension Phone {
    /// `HistorySync.syncType`.
    private enum SyncType {
        static let initialBootstrap: UInt64 = 0
        static let pushName: UInt64 = 4
    }

    /// Inline payloads above this compressed size are cut to fewer messages: 64 KiB.
    private static let inlineLimit = 65_536
    private static let messagesPerChat = 20

    func bootstrap(_ device: Device) {
        do {
            try sendPeer(PeerPayload.keyShare, appState.share(), to: device)
            try sendHistory(SyncType.initialBootstrap, initialBootstrap(), to: device)
            try sendHistory(SyncType.pushName, pushNames(), to: device)
            world.markBootstrapped(device)
        } catch {
            world.violation("phone.bootstrap", "companion \(device.id) got no first material: \(error)", device: device)
        }
    }

    /// A notification with the history inside, so that no media server is needed.
    private func sendHistory(_ type: UInt64, _ history: Bytes, to device: Device) throws {
        let payload = ZlibStored.compress(history)
        var writer = ProtoWriter()
        writer.bytes(1, SHA256Digest.hash(payload))
        writer.varint(2, UInt64(payload.count))
        writer.varint(6, type)
        writer.varint(7, 1)
        writer.varint(9, 100)
        writer.bytes(11, payload)
        let id = try sendPeer(PeerPayload.historySync, writer.bytes, to: device)
        emit(
            .historySent,
            [
                "id": .string(id), "to_device": .number(device.id), "sync_type": .number(type), "chunk_order": 1,
                "bytes": .number(payload.count), "inline": true,
            ])
    }

    private func header(_ type: UInt64) -> ProtoWriter {
        var writer = ProtoWriter()
        writer.varint(1, type)
        return writer
    }

    /// The latest messages of every chat, the numbers behind the LIDs, and the account's settings.
    private func initialBootstrap() -> Bytes {
        var perChat = Self.messagesPerChat
        while true {
            let history = initialBootstrap(messagesPerChat: perChat)
            if history.count <= Self.inlineLimit || perChat == 0 { return history }
            perChat /= 2
        }
    }

    private func initialBootstrap(messagesPerChat limit: Int) -> Bytes {
        var writer = header(SyncType.initialBootstrap)
        if limit > 0 {
            for (chat, messages) in conversations(limit: limit) { writer.bytes(2, conversation(chat, messages)) }
        }
        writer.varint(5, 1)
        writer.varint(6, 100)
        writer.message(8) { $0.int(20, account.created) }
        for person in people() {
            writer.message(15) { mapping in
                mapping.string(1, person.pn.description)
                mapping.string(2, person.lidJID.description)
            }
        }
        let salts = world.random
        writer.string(
            16, Base64.encodeURLSafe(salts.constant("account/\(account.phone)/companion-meta-nonce", 16)))
        writer.bytes(19, salts.constant("account/\(account.phone)/nct-salt", 32))
        return writer.bytes
    }

    private func pushNames() -> Bytes {
        var writer = header(SyncType.pushName)
        writer.varint(5, 1)
        writer.varint(6, 100)
        for person in people() {
            writer.message(7) { name in
                name.string(1, person.pn.description)
                name.string(2, person.pushName)
            }
        }
        return writer.bytes
    }

    /// The account itself, its contacts and everybody it has a chat with, each once.
    private func people() -> [Account] {
        var seen: Set<String> = []
        let contacts = account.contacts.keys.compactMap { world.accounts[$0] }
        let partners = log.all.flatMap { [$0.chat, $0.sender] }.compactMap { world.account($0) }
        return ([account] + contacts + partners).filter { seen.insert($0.phone).inserted }
    }

    /// Chats with their newest messages, newest first; the chat that spoke last comes first.
    private func conversations(limit: Int) -> [(JID, [PhoneMessage])] {
        var order: [JID] = []
        var messages: [JID: [PhoneMessage]] = [:]
        for message in log.all.reversed() where !message.chat.isBroadcast {
            if messages[message.chat] == nil { order.append(message.chat) }
            if messages[message.chat, default: []].count < limit { messages[message.chat, default: []].append(message) }
        }
        return order.map { ($0, messages[$0] ?? []) }
    }

    private func conversation(_ chat: JID, _ messages: [PhoneMessage]) -> Bytes {
        let latest = UInt64(clamping: messages.first?.time ?? 0)
        var writer = ProtoWriter()
        writer.string(1, chat.description)
        for message in messages {
            writer.message(2) { entry in
                entry.bytes(1, WebMessageInfo(message, in: self).serialized())
                entry.varint(2, UInt64(message.sequence))
            }
        }
        writer.varint(5, latest)
        writer.bool(8, true)
        writer.varint(11, 1)
        writer.varint(12, latest)
        if let person = world.account(chat) {
            writer.string(13, account.contacts[person.phone] ?? person.pushName)
            writer.string(39, person.pn.description)
        } else if let group = world.groups[chat.user] {
            writer.string(13, group.subject)
        }
        return writer.bytes
    }

    // MARK: Keys

    func rotateAppStateKey() {
        let source = random("app-state-keys")
        let epoch = source.bytes(2).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } + 1
        appState.rotate(
            data: source.bytes(32), time: world.clock.milliseconds, firstEpoch: epoch, rawID: account.advRawID,
            currentIndex: max(account.nextKeyIndex, 1) - 1,
            deviceIndexes: [0] + account.companions.map(\.keyIndex).sorted())
        saveAppStateKeys()
    }

    /// What a removed companion knew must not open what comes later: a new app state key for those that remain.
    func companionUnlinked(_ device: Device) {
        keys.forget(address: SignalAddress(device.jid(in: .lid)))
        rotateAppStateKey()
        for companion in account.companions where companion.id != device.id && companion.wasBootstrapped {
            do {
                try sendPeer(PeerPayload.keyShare, appState.share(), to: companion)
            } catch {
                world.violation("phone.key_share", "companion \(companion.id): \(error)", device: companion)
            }
        }
    }
}
