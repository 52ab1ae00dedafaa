import Cryptography
import Signal
import Transport

/// One `<enc>` of a message, parsed as far as loading needs.
enum IncomingCiphertext {
    case preKey(PreKeySignalMessage)
    case whisper(SignalMessage)
    case senderKey(SenderKeyMessage)
    /// Of no kind we know, or malformed.
    case unreadable(SignalError)
}

struct IncomingEnc {
    var type: String
    var bytes: [UInt8]
    var ciphertext: IncomingCiphertext
    /// Number of the resend, 0 for the first delivery, at most the limit: the sender writes what it likes.
    var count: Int
    var version: Int
    var hidesFailure: Bool

    var isPairwise: Bool { type != "skmsg" }

    init?(_ node: Stanza) {
        guard let type = node.type, let bytes = node.bytesContent else { return nil }
        self.type = type
        self.bytes = bytes
        count = min(max(node.int("count") ?? 0, 0), RetryReceipt.limit)
        version = node.int("v") ?? 2
        hidesFailure = node["decrypt-fail"] == "hide"
        do {
            switch type {
            case "pkmsg": ciphertext = .preKey(try PreKeySignalMessage(parsing: bytes))
            case "msg": ciphertext = .whisper(try SignalMessage(parsing: bytes))
            case "skmsg": ciphertext = .senderKey(try SenderKeyMessage(parsing: bytes))
            default: return nil
            }
        } catch let error as SignalError {
            ciphertext = .unreadable(error)
        } catch {
            ciphertext = .unreadable(.invalidMessage("\(error)"))
        }
    }

    /// SHA-256 over the ciphertext and who sent it how (04, section 18.1).
    func hash(_ info: MessageInfo, sender: SignalAddress) -> [UInt8] {
        let extras =
            switch type {
            case "skmsg": ["senderkey", info.chat.description, sender.description]
            case "pkmsg": ["prekey", sender.description]
            default: ["normal", sender.description]
            }
        var input = bytes
        for extra in extras { input += [0] + Array(extra.utf8) }
        return SHA256Digest.hash(input + [0, 0])
    }
}

extension DeviceSession {
    /// A `<message>` (04-message-pipeline, section 13.4). Throws when the store fails: then nothing is answered.
    func handleMessage(_ stanza: Stanza) async throws {
        guard let own, let info = MessageInfo(stanza, own: own) else {
            return send(Acknowledgement.ack(stanza, refusal: .parsing), after: tickets.newest)
        }
        if info.chat.isNewsletter { return send(Acknowledgement.ack(stanza), after: tickets.newest) }
        let nodes = stanza.children("enc")
        guard !nodes.isEmpty else { return try await withoutCiphertext(stanza, info) }
        var encs = nodes.compactMap(IncomingEnc.init)
        // Pairwise first: they carry the sender key that the group ciphertext needs.
        encs = encs.filter(\.isPairwise) + encs.filter { !$0.isPairwise }
        let generation = ledger.forgetCount
        let address = try await signalAddress(of: info.sender, alternative: info.senderAlternative)
        let parties = try await parties(of: info)
        try await loadSessions([address])
        let senderKey = SenderKeyName(group: info.from.description, sender: address)
        if info.chat.isGroup || info.from.isBroadcast { try await loadSenderKey(senderKey) }
        let preKeys = try await preKeys(for: encs, at: address)
        // Who is admin; a group that cannot be asked has none.
        if info.isAdminRevocation { _ = try? await group(info.chat) }
        try requireCurrent(generation)

        // From here to the submission nothing suspends.
        var draft = makeDraft()
        learn([info.senderPair, info.recipientPair].compactMap(\.self), in: &draft.changes)
        var outcome = MessageOutcome()
        for enc in encs {
            do {
                let plaintext = try decrypt(
                    enc, info: info, address: address, senderKey: senderKey, preKeys: preKeys, draft: &draft)
                draft.changes.handledCiphertexts.append(
                    HandledCiphertext(
                        hash: enc.hash(info, sender: address), serverTimestamp: info.timestamp.seconds))
                outcome.retryCount = max(outcome.retryCount, enc.count)
                interpret(
                    plaintext, info: info, parties: parties, senderKey: senderKey, outcome: &outcome, draft: &draft)
            } catch let error as SignalError {
                if case .duplicateMessage = error { continue }
                outcome.failure = (error, enc)
                break
            }
        }
        if encs.isEmpty {
            // Bots' answers need a message secret; nothing else of an unknown kind can be read either.
            outcome.refusal = nodes.contains { $0.type == "msmsg" } ? .missingMessageSecret : .unrecognisedStanza
        }
        // Key material and what devices tell each other are no messages, and one that came again was counted before.
        let storesMessage = !draft.changes.messages.isEmpty
        let ticket = submit(draft, isInbound: true)
        if let (error, enc) = outcome.failure {
            return try await undecryptable(
                stanza, info, parties: parties, error: error, enc: enc, address: address,
                isKeyless: !encs.contains(where: \.isPairwise))
        }
        if storesMessage { SessionMetrics.count(.received) }
        answer(stanza, info, outcome: outcome, after: ticket)
        retryCounters.forget(info)
        refreshDeviceListIfUnknown(info.sender)
    }

    /// What handling the ciphertexts of one stanza led to.
    struct MessageOutcome {
        /// The last payload that decrypted was no message.
        var isBadProtobuf = false
        var refusal: Acknowledgement.Refusal?
        var retryCount = 0
        var failure: (SignalError, IncomingEnc)?
        /// Types of internal receipts to the own number.
        var internalReceipts: [String] = []
    }

    private func answer(_ stanza: Stanza, _ info: MessageInfo, outcome: MessageOutcome, after ticket: CommitTicket) {
        guard let own else { return }
        if let refusal = outcome.refusal ?? (outcome.isBadProtobuf ? .invalidProtobuf : nil) {
            return send(Acknowledgement.ack(stanza, refusal: refusal), after: ticket)
        }
        for type in outcome.internalReceipts {
            send(Acknowledgement.internalReceipt(id: info.id, type: type, own: own), after: ticket)
        }
        send(Acknowledgement.delivery(for: info, isActive: sendsActiveReceipts), after: ticket)
    }

    // MARK: Decrypting

    private func decrypt(
        _ enc: IncomingEnc, info: MessageInfo, address: SignalAddress, senderKey: SenderKeyName,
        preKeys: PreKeyPairs, draft: inout SignalDraft
    ) throws -> [UInt8] {
        guard let keys else { throw SignalError.noSession }
        let random = AnyRandom(configuration.random)
        let padded: [UInt8]
        switch enc.ciphertext {
        case .unreadable(let error): throw error
        case .whisper(let message):
            let result = try sessions.decrypt(
                message, from: address, own: keys.identity, random: random, draft: &draft, now: now)
            if result.identityVerdict == .changed { identityChanged(info.sender, draft: &draft) }
            padded = result.plaintext
        case .preKey(let message):
            let result = try sessions.decrypt(
                message, from: address, own: keys.identity,
                signedPreKey: keys.signedPreKey(id: message.signedPreKeyID),
                oneTimePreKey: message.preKeyID.flatMap { preKeys[$0] }, random: random, draft: &draft, now: now)
            if result.identityVerdict == .changed { identityChanged(info.sender, draft: &draft) }
            padded = result.plaintext
        case .senderKey(let message):
            padded = try senderKeys.decrypt(
                message, from: senderKey, revision: sessions.nextRevision(), draft: &draft, now: now)
        }
        do {
            return try MessagePadding.unpad(padded, version: enc.version)
        } catch { throw SignalError.invalidMessage("padding") }
    }

    typealias PreKeyPairs = [UInt32: KeyPair]

    /// The one-time keys that pkmsgs of unknown sessions name.
    private func preKeys(for encs: [IncomingEnc], at address: SignalAddress) async throws -> PreKeyPairs {
        var pairs: PreKeyPairs = [:]
        for enc in encs {
            guard case .preKey(let message) = enc.ciphertext, let id = message.preKeyID,
                !sessions.knows(baseKey: message.baseKey, at: address)
            else { continue }
            pairs[id] = try await oneTimePreKey(id: id)
        }
        return pairs
    }

    // MARK: Chats and people

    /// Chat and sender of a message under both their names.
    func parties(of info: MessageInfo) async throws -> MessageParties {
        let sender = try await party(info.sender, alternative: info.senderAlternative)
        if !info.isFromMe, info.chat == info.sender.bare { return MessageParties(chat: sender, sender: sender) }
        return MessageParties(
            chat: try await party(info.chat, alternative: info.recipientAlternative), sender: sender)
    }

    /// A person under both names, from what a stanza says or what is stored; anything else as it is.
    func party(_ jid: JID, alternative: JID? = nil) async throws -> Party {
        let bare = jid.withoutHosting.bare
        guard bare.isPerson, !bare.isBot, bare.server == .user || bare.isLID else { return Party(bare) }
        if let alternative { return Party(bare, alternative: alternative.withoutHosting) }
        return Party(bare, alternative: bare.isLID ? try await pn(of: bare) : try await lid(of: bare))
    }

    func canonicalChat(_ chat: JID) async throws -> String { try await party(chat).key }

    // MARK: Without ciphertext

    /// `<unavailable>`: only the phone has it; nothing at all: refused (04, section 13.4).
    private func withoutCiphertext(_ stanza: Stanza, _ info: MessageInfo) async throws {
        guard let unavailable = stanza.child("unavailable") else {
            return send(Acknowledgement.ack(stanza, refusal: .unrecognisedStanza), after: tickets.newest)
        }
        let parties = try await parties(of: info)
        let type = unavailable.type ?? ""
        var draft = makeDraft()
        learn([info.senderPair, info.recipientPair].compactMap(\.self), in: &draft.changes)
        addPlaceholder(info, parties: parties, to: &draft.changes)
        draft.changes.events.append(
            .messageUndecryptable(
                info, parties: parties, own: ownNumber, isUnavailable: true,
                unavailableType: type.hasPrefix("view_once") ? "view_once" : "", failMode: "", attempt: 0, at: now))
        let ticket = submit(draft, isInbound: true)
        send(Acknowledgement.ack(stanza), after: ticket)
        if type.isEmpty { requestFromPhone(info, after: 0) }
    }
}
