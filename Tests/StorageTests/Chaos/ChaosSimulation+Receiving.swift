import Cryptography
import Messaging

@testable import Signal
@testable import Storage

extension ChaosSimulation {
    /// A peer writes; the server keeps it until it is acknowledged.
    mutating func answer(from peer: Int, anew: Bool = false, as known: String? = nil) throws {
        if anew || !peers[peer].hasSession { try peers[peer].start(ownBundle()) }
        let id = known ?? newID()
        let ciphertext = try peers[peer].encrypt(Array(id.utf8))
        let item = ChaosInbound(
            id: id, peer: peer, type: ciphertext.type, bytes: ciphertext.bytes, isReborn: peers[peer].isReborn)
        inbound.append(item)
        seenInbound.append(item)
        if offered.count < 2 { try addPreKeys(4) }
    }

    /// The device gets a message: decrypted, committed with its event, acknowledged after that.
    mutating func receive(_ item: ChaosInbound) throws {
        let address = peers[item.peer].address
        try load(address)
        if node.isFenced { return }
        var draft = node.makeDraft()
        do {
            let decrypted = try decrypt(item, address, &draft)
            guard String(decoding: decrypted.plaintext, as: UTF8.self) == item.id else {
                throw ChaosFinding(oracle: "O8", detail: "\(item.id) reads as something else")
            }
            if decrypted.startedSession { starts[item.peer] += 1 }
            if let id = decrypted.usedPreKeyID, let baseKey = node.sessions.baseKey(address) {
                store.preKeyUses[id] = (address.description, baseKey)
            }
        } catch let error as SignalError {
            if case .duplicateMessage = error { return try acknowledge(item, after: node.tickets.newest) }
            if store.events[item.id] != nil { return try acknowledge(item, after: node.tickets.newest) }
            // So many sessions came after that the oldest left the archive: then the peer is asked, and makes a new one.
            if item.isReborn || hasFailedOver || starts[item.peer] > SignalLimits.archivedStates {
                return try again(item)
            }
            throw ChaosFinding(oracle: "O8", detail: "\(item.id) of peer \(item.peer) cannot be read: \(error)")
        }
        if fault == .liveInReceiveImage { putLiveChain(of: address, in: &draft) }
        draft.changes.events.append(
            DeviceEvent(type: "message.received", dedupeKey: item.id, data: [], at: now))
        draft.changes.chats.append(ChatUpdate(chat: ChaosChat.peer(item.peer).name, kind: .user, unreadIncrement: 1))
        if fault == .preKeyOneBatchEarly {
            for id in draft.changes.usedPreKeys { store.preKeys[id] = nil }
        }
        try acknowledge(item, after: node.submit(draft))
    }

    /// The answer to a retry receipt of the device: the same message in a new session.
    private mutating func again(_ item: ChaosInbound) throws {
        inbound.removeAll { $0.id == item.id }
        try answer(from: item.peer, anew: true, as: item.id)
    }

    private mutating func decrypt(
        _ item: ChaosInbound, _ address: SignalAddress, _ draft: inout SignalDraft
    ) throws -> SessionSlots.Decrypted {
        if item.type == .whisper {
            return try node.sessions.decrypt(
                SignalMessage(parsing: item.bytes), from: address, own: own, random: random, draft: &draft, now: now)
        }
        let message = try PreKeySignalMessage(parsing: item.bytes)
        var oneTime: KeyPair?
        if let id = message.preKeyID, !node.ledger.usedPreKeys.contains(id), let secret = store.preKeys[id] {
            oneTime = KeyPair(privateKey: try PrivateKey(secret))
        }
        return try node.sessions.decrypt(
            message, from: address, own: own, signedPreKey: signedPreKey.keyPair, oneTimePreKey: oneTime,
            random: random, draft: &draft, now: now)
    }

    private mutating func acknowledge(_ item: ChaosInbound, after ticket: CommitTicket) throws {
        try send(
            ChaosFrame(id: "ack \(item.id)", copies: [], cover: ticket, acknowledges: item.id), lane: nil,
            after: ticket)
    }

    /// The fault: the image holds the chain as it stands.
    private func putLiveChain(of address: SignalAddress, in draft: inout SignalDraft) {
        var copy = node.sessions
        var scratch = SignalDraft(ticket: draft.ticket, changes: ChangeSet(did: 1, epoch: node.epoch))
        copy.evict(unusedSince: now.adding(seconds: 1_000_000), watermark: CommitTicket(.max), draft: &scratch)
        guard let live = scratch.changes.sessions.first(where: { $0.address == address.description }),
            let index = draft.changes.sessions.firstIndex(where: { $0.address == address.description })
        else { return }
        draft.changes.sessions[index].record = live.record
    }
}
