import Cryptography
import OrderedCollections
import Signal
import Transport
import WhatsAppProtobuf

/// What a phone sends to a companion after its first login (09, section 19.4; 06, section 18.7): keys, then history.
extension Phone {
    func bootstrap(_ device: Device) {
        do {
            try sendPeer(PeerPayload.keyShare, appState.share(), to: device)
            for type in world.settings.historyTypes.compactMap({ HistoryType(rawValue: UInt64(clamping: $0)) }) {
                try sendHistory(type, to: device)
            }
            world.markBootstrapped(device)
        } catch {
            world.violation("phone.bootstrap", "companion \(device.id) got no first material: \(error)", device: device)
        }
    }

    /// Sends everything of one type, in as many chunks as it needs; nothing where there is nothing of it.
    func sendHistory(_ type: HistoryType, to device: Device, metadata: Bytes? = nil) throws {
        let wishes = HistoryWishes(deviceProps: device.deviceProps ?? [])
        switch type {
        case .initialBootstrap: try send(HistoryChunk(type, initialBootstrap()), to: device)
        case .pushName: try send(HistoryChunk(type, pushNames()), to: device)
        case .nonBlockingData: try send(HistoryChunk(type, header(type).bytes), to: device)
        case .full where !wishes.full && metadata == nil: return
        case .recent, .full:
            let chunks = olderMessages(days: type == .recent ? wishes.recentDays : nil)
            for (number, conversations) in chunks.enumerated() {
                let progress = UInt64((number + 1) * 100 / chunks.count)
                var writer = header(type, order: UInt64(number + 1), progress: progress)
                for entry in conversations { writer.bytes(2, conversation(entry.chat, entry.messages)) }
                var chunk = HistoryChunk(type, writer.bytes, order: UInt64(number + 1), progress: progress)
                chunk.metadata = metadata
                try send(chunk, to: device)
            }
        case .onDemand: return
        }
    }

    // MARK: Content

    static let bootstrapMessagesPerChat = 20
    /// Uncompressed bytes above which the first chunk is cut to fewer messages.
    private static let bootstrapLimit = 65_536

    func header(_ type: HistoryType, order: UInt64 = 1, progress: UInt64 = 100) -> ProtoWriter {
        var writer = ProtoWriter()
        writer.varint(1, type.rawValue)
        return writer.with(order: order, progress: progress)
    }

    /// The latest messages of every chat, the numbers behind the LIDs, and the account's settings.
    private func initialBootstrap() -> Bytes {
        var perChat = Self.bootstrapMessagesPerChat
        while true {
            let history = initialBootstrap(messagesPerChat: perChat)
            if history.count <= Self.bootstrapLimit || perChat == 0 { return history }
            perChat /= 2
        }
    }

    private func initialBootstrap(messagesPerChat limit: Int) -> Bytes {
        var writer = ProtoWriter()
        writer.varint(1, HistoryType.initialBootstrap.rawValue)
        if limit > 0 {
            for (chat, messages) in conversations() { writer.bytes(2, conversation(chat, messages.prefix(limit))) }
        }
        writer = writer.with(order: 1, progress: 100)
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
        var writer = header(.pushName)
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

    /// Chats with their messages, newest first; the chat that spoke last comes first.
    private func conversations() -> [(chat: JID, messages: [PhoneMessage])] {
        var messages: OrderedDictionary<JID, [PhoneMessage]> = [:]
        for message in log.all.reversed() where !message.chat.isBroadcast {
            messages[message.chat, default: []].append(message)
        }
        return messages.map { ($0.key, $0.value) }
    }

    /// What the first chunk left out, cut into chunks of the world's size. `days`: how far back, if limited.
    private func olderMessages(days: UInt64?) -> [[(chat: JID, messages: ArraySlice<PhoneMessage>)]] {
        let size = max(1, world.settings.historyChunkMessages)
        let oldest = days.map { world.clock.seconds - Int64(clamping: $0) * 86_400 } ?? .min
        var chunks: [[(chat: JID, messages: ArraySlice<PhoneMessage>)]] = []
        var room = 0
        for (chat, messages) in conversations() {
            var rest = messages.dropFirst(Self.bootstrapMessagesPerChat).prefix { $0.time >= oldest }
            while !rest.isEmpty {
                if room == 0 {
                    chunks.append([])
                    room = size
                }
                let piece = rest.prefix(room)
                chunks[chunks.count - 1].append((chat, piece))
                room -= piece.count
                rest = rest.dropFirst(piece.count)
            }
        }
        return chunks
    }

    /// `transfer`: `endOfHistoryTransferType`; 1 = nothing older is on the phone.
    func conversation(_ chat: JID, _ messages: some Collection<PhoneMessage>, transfer: UInt64 = 1) -> Bytes {
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
        writer.varint(11, transfer)
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

    /// A new app state key for all companions that have been given one.
    func shareRotatedKey(except device: Device? = nil) {
        rotateAppStateKey()
        for companion in account.companions where companion !== device && companion.wasBootstrapped {
            do {
                try sendPeer(PeerPayload.keyShare, appState.share(), to: companion)
            } catch {
                world.violation("phone.key_share", "companion \(companion.id): \(error)", device: companion)
            }
        }
    }

    /// What a removed companion knew must not open what comes later: a new app state key for those that remain.
    func companionUnlinked(_ device: Device) {
        keys.forget(address: SignalAddress(device.jid(in: .lid)))
        shareRotatedKey(except: device)
    }
}

extension ProtoWriter {
    /// `chunkOrder` 5 and `progress` 6 of a `HistorySync`.
    fileprivate func with(order: UInt64, progress: UInt64) -> ProtoWriter {
        var writer = self
        writer.varint(5, order)
        writer.varint(6, progress)
        return writer
    }
}
