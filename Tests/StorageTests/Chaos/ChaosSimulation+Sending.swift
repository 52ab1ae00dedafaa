import Cryptography
import Messaging

@testable import Signal
@testable import Storage

extension ChaosSimulation {
    /// When the caller of a send gives up.
    enum Cancellation: CaseIterable { case beforeEncryption, afterEncryption, afterCommit }

    /// A send as `DeviceSession` does it: the intent, the sessions, the ciphertexts, the frame behind its commits.
    mutating func sendMessage(to chat: ChaosChat, cancelled cancellation: Cancellation? = nil) throws {
        let id = newID()
        chats[id] = chat
        var draft = node.makeDraft()
        draft.changes.retries.append(
            RetryRow(chat: chat.name, messageID: id, plaintext: Array(id.utf8), sendBy: now, insertedAt: now))
        let intent = node.submit(draft)
        node.pending.append(ChaosNode.Pending(id: id, chat: chat, intent: intent))
        if cancellation == .beforeEncryption { return fail(id) }
        try build(id, chat, intent)
        if cancellation == .afterEncryption, node.pending.contains(where: { $0.id == id }) {
            cancelled.insert(id)
            return fail(id)
        }
        if cancellation == .afterCommit { try flush() }
    }

    /// Encrypts and puts the frame in the gate. When what was loaded for it is forgotten meanwhile, the send has gone back
    /// to be built again, or has failed.
    mutating func build(_ id: String, _ chat: ChaosChat, _ intent: CommitTicket) throws {
        switch chat {
        case .peer(let peer):
            guard try keepsRecords({ try $0.ensureSessions([peer]) }) else { return }
            let (copies, cover, gated) = try encrypt([peer], Array(id.utf8))
            let frame = ChaosFrame(id: id, copies: copies, cover: max(intent, cover))
            try send(frame, lane: chat.name, after: gated ? max(intent, cover) : .none)
        case .group(let group): try buildGroup(id, group, intent)
        }
    }

    private mutating func buildGroup(_ id: String, _ group: Int, _ intent: CommitTicket) throws {
        let chat = ChaosChat.group(group)
        let name = SenderKeyName(group: chat.name, sender: Self.ownAddress)
        var keyID: UInt32?
        var lacking: [Int] = []
        let isReady = try keepsRecords { world in
            try world.loadSenderKey(name)
            keyID = world.node.senderKeys.keyID(name)
            lacking = world.members[group].sorted().filter { !world.holdsKey($0, chat.name, keyID) }
            try world.ensureSessions(lacking)
        }
        guard isReady else { return }

        var draft = node.makeDraft()
        let outgoing = try node.senderKeys.encrypt(
            Array(id.utf8), as: name, random: random, revision: node.sessions.nextRevision(), draft: &draft, now: now)
        let groupCover = draft.cover
        node.submit(draft)
        if outgoing.keyID != keyID { lacking = members[group].sorted() }
        guard try keepsRecords({ try $0.ensureSessions(lacking) }) else { return }
        let (copies, cover, _) = try encrypt(lacking, Array(chat.name.utf8) + [0] + outgoing.distribution)
        let all = max(intent, max(cover, groupCover))
        let frame = ChaosFrame(
            id: id, group: chat.name, copies: copies, groupText: outgoing.ciphertext,
            marks: lacking.map {
                SenderKeyMark(group: chat.name, address: peers[$0].address.description, keyID: outgoing.keyID)
            }, cover: all, excluded: (0..<Self.peerCount).filter { !members[group].contains($0) })
        try send(frame, lane: chat.name, after: fault == .skipMaximum ? groupCover : all)
    }

    /// Whether nothing was forgotten meanwhile, as the session asks after the last suspension before it uses records.
    private mutating func keepsRecords(_ load: (inout ChaosSimulation) throws -> Void) throws -> Bool {
        let (generation, number) = (node.ledger.forgetCount, node.number)
        // A barrier is passed first: it may take what was loaded before it along.
        try awaitQueue()
        guard generation == node.ledger.forgetCount, !node.isFenced else { return false }
        try load(&self)
        return generation == node.ledger.forgetCount && number == node.number && !node.isFenced
    }

    private func holdsKey(_ peer: Int, _ group: String, _ keyID: UInt32?) -> Bool {
        guard let keyID else { return false }
        return node.marks.contains(
            SenderKeyMark(group: group, address: peers[peer].address.description, keyID: keyID))
    }

    private mutating func ensureSessions(_ wanted: [Int]) throws {
        for peer in wanted {
            let address = peers[peer].address
            try load(address)
            if !node.sessions.hasSession(address) { try startSession(peer) }
        }
    }

    mutating func startSession(_ peer: Int) throws {
        starts[peer] += 1
        newestStart[peer] = nextID
        var draft = node.makeDraft()
        _ = try node.sessions.start(
            bundle: peers[peer].bundle(), at: peers[peer].address, own: own, random: random, draft: &draft, now: now)
        node.submit(draft)
    }

    /// One synchronous stretch. `gated` is false where a fault lets the frame pass.
    private mutating func encrypt(
        _ wanted: [Int], _ plaintext: [UInt8]
    ) throws -> (copies: [ChaosFrame.Copy], cover: CommitTicket, gated: Bool) {
        var draft = node.makeDraft()
        var copies: [ChaosFrame.Copy] = []
        var gated = true
        for peer in wanted {
            let address = peers[peer].address
            let ciphertext = try node.sessions.encrypt(plaintext, to: address, draft: &draft, now: now)
            let message =
                ciphertext.type == .preKey
                ? try PreKeySignalMessage(parsing: ciphertext.bytes).message
                : try SignalMessage(parsing: ciphertext.bytes)
            node.encrypted[message.ratchetKey] = message.counter + 1
            if fault == .inheritBound, ciphertext.counter < inherited[address] ?? 0 { gated = false }
            if ciphertext.cover == .durable {
                inherited[address] = max(inherited[address] ?? 0, ciphertext.counter + 1)
            }
            copies.append(ChaosFrame.Copy(peer: peer, type: ciphertext.type, bytes: ciphertext.bytes))
        }
        let cover = draft.cover
        node.submit(draft)
        return (copies, cover, gated)
    }

    // MARK: Ends

    /// The server took the message: what that makes true is committed.
    mutating func acknowledged(_ frame: ChaosFrame) {
        guard let index = node.pending.firstIndex(where: { $0.id == frame.id }) else { return }
        let chat = node.pending.remove(at: index).chat
        let readers: Set<Int> =
            switch chat {
            case .peer(let peer): [peer]
            case .group(let group): members[group]
            }
        sent[frame.id] = (chat, readers)
        var draft = node.makeDraft()
        draft.changes.settledSends.append(MessageName(chat: chat.name, messageID: frame.id))
        draft.changes.senderKeyMarks = frame.marks
        node.marks.formUnion(frame.marks)
        node.submit(draft)
    }

    mutating func fail(_ id: String) {
        guard let index = node.pending.firstIndex(where: { $0.id == id }) else { return }
        let chat = node.pending.remove(at: index).chat
        var draft = node.makeDraft()
        draft.changes.settledSends.append(MessageName(chat: chat.name, messageID: id))
        node.submit(draft)
    }

    /// Sends whose frames were destroyed, in order.
    mutating func rebuildSends() throws {
        for send in node.pending where send.isRequeued {
            guard let index = node.pending.firstIndex(where: { $0.id == send.id && $0.isRequeued }) else { continue }
            node.pending[index].isRequeued = false
            try build(send.id, send.chat, node.tickets.newest)
        }
    }

    /// What an earlier process left, under the same ids.
    mutating func resumeSends() throws {
        let left = store.unsettled.filter(\.value).keys.sorted { $0.count == $1.count ? $0 < $1 : $0.count < $1.count }
        for id in left where !cancelled.contains(id) {
            guard let chat = chats[id] else { continue }
            node.pending.append(ChaosNode.Pending(id: id, chat: chat, intent: .none))
            try build(id, chat, node.tickets.newest)
        }
    }

    // MARK: Retries

    private func number(of id: String) -> Int { Int(id.dropFirst()) ?? .max }

    /// A device could not read a message and asks for it again.
    mutating func ask(_ peer: Int, again frame: ChaosFrame) throws {
        let key = "\(frame.id) \(peer)"
        retries[key, default: 0] += 1
        guard retries[key] ?? 0 <= 4 else {
            throw ChaosFinding(oracle: "O8", detail: "peer \(peer) cannot read \(frame.id), however often it is sent")
        }
        asked[key] = ChaosRetry(frame: frame, peer: peer)
    }

    /// Answers a retry receipt: in a new session, unless one was made since the message was. The answer acknowledges it;
    /// until that has left, the receipt comes again with every connection.
    mutating func answerRetry(_ key: String) throws {
        guard let retry = asked[key] else { return }
        asked[key] = fault == .ackRetryEarly ? nil : ChaosRetry(frame: retry.frame, peer: retry.peer, isFresh: false)
        let (frame, peer) = (retry.frame, retry.peer)
        let isReady = try keepsRecords { world in
            try world.load(world.peers[peer].address)
            guard let group = frame.group else { return }
            try world.loadSenderKey(SenderKeyName(group: group, sender: Self.ownAddress))
        }
        guard isReady else { return }
        let isKnown = retries[key] == 1 && number(of: frame.id) <= newestStart[peer]
        if !isKnown || !node.sessions.hasSession(peers[peer].address) { try startSession(peer) }
        var content = Array(frame.id.utf8)
        var cover = CommitTicket.none
        if let group = frame.group {
            let name = SenderKeyName(group: group, sender: Self.ownAddress)
            var draft = node.makeDraft()
            if let distribution = node.senderKeys.distribution(
                of: name, random: random, revision: node.sessions.nextRevision(), draft: &draft)
            {
                content = Array(group.utf8) + [0] + distribution.bytes
            }
            cover = draft.cover
            node.submit(draft)
        }
        let (copies, pairCover, _) = try encrypt([peer], content)
        cover = max(cover, pairCover)
        var again = ChaosFrame(id: frame.id, group: frame.group, copies: copies, cover: cover)
        again.answers = key
        try send(again, lane: chats[frame.id]?.name, after: cover)
    }

    /// The server hands over again what was not acknowledged.
    mutating func answerRetries() throws {
        for key in asked.keys.sorted() { try answerRetry(key) }
    }
}
