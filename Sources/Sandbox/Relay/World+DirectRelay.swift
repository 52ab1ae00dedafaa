import Cryptography
import OrderedCollections
import Transport

/// One-to-one messages, peer messages and unicast resends (09, sections 14.3, 14.7, 15.3; 04, section 22.4).
extension World {
    func relayDirect(_ envelope: MessageEnvelope, _ outcome: inout RelayOutcome) throws(RelayRefusal) {
        let sender = envelope.sender.account
        guard let sent = AddressSpace(envelope.to) else { throw RelayRefusal(479) }
        guard let recipient = account(envelope.to), recipient.isRegistered else {
            if settings.unknownDestinationError { throw RelayRefusal(404) }
            return
        }
        if settings.strictAddressing, envelope.entries.contains(where: { AddressSpace($0.jid) != sent }) {
            throw RelayRefusal(400)
        }
        if settings.strictStructure, envelope.entries.isEmpty, envelope.shared.count != 1 { throw RelayRefusal(479) }
        let isBlocked = recipient.blocked.contains(sender.lid)
        if settings.strictTokens, recipient !== sender, !hasToken(envelope.message, from: sender, to: recipient) {
            throw RelayRefusal(463)
        }
        let space = delivered(sent)
        var targets: [(device: Device, enc: Stanza)] = []
        var seen: Set<ObjectIdentifier> = [ObjectIdentifier(envelope.sender)]
        for entry in envelope.entries {
            guard let device = device(entry.jid), device.account === recipient || device.account === sender,
                let enc = entry.enc, seen.insert(ObjectIdentifier(device)).inserted
            else { continue }
            targets.append((device, enc))
        }
        if envelope.entries.isEmpty, let enc = envelope.shared.first, let device = device(envelope.to),
            device !== envelope.sender
        {
            targets.append((device, enc))
        } else if envelope.message["device_fanout"] != "false" {
            outcome.phash = directPhash(envelope, recipient: recipient, space: sent)
        }
        for target in targets.sorted(by: Self.fanOutOrder) {
            if target.device.account === sender {
                enqueue(
                    envelope.copy(ownCopyAddresses(envelope, recipient: recipient, space: space), enc: [target.enc]),
                    for: target.device)
            } else {
                if isBlocked { continue }
                enqueue(
                    envelope.copy(
                        [
                            "from": .jid(envelope.sender.jid(in: space)),
                            (space == .lid ? "sender_pn" : "sender_lid"): .jid(sender.jid(in: space.other)),
                            "addressing_mode": .text(space.word),
                        ], enc: [target.enc]),
                    for: target.device)
            }
            outcome.copies += 1
        }
        remember(sender, met: recipient)
        remember(sender, wroteTo: recipient)
    }

    /// Addresses of the copy for another device of the sender. Never with `sender_pn`/`sender_lid`: Baileys would take the
    /// recipient for the sender.
    private func ownCopyAddresses(
        _ envelope: MessageEnvelope, recipient: Account, space: AddressSpace
    ) -> StanzaAttributes {
        // A unicast resend to an own device names the chat in `recipient`.
        let chat = envelope.message.jid("recipient").flatMap { account($0) } ?? recipient
        return [
            "from": .jid(envelope.sender.jid(in: space)), "recipient": .jid(chat.jid(in: space)),
            (space == .lid ? "peer_recipient_pn" : "peer_recipient_lid"): .jid(chat.jid(in: space.other)),
            "addressing_mode": .text(space.word),
        ]
    }

    /// The space a copy is written in (setting `address_space`).
    private func delivered(_ sent: AddressSpace) -> AddressSpace {
        switch settings.addressSpace {
        case .asSent: sent
        case .lid: .lid
        case .pn: .pn
        }
    }

    /// The right phash if the message did not cover all devices of both accounts, else `nil` (14.6).
    private func directPhash(_ envelope: MessageEnvelope, recipient: Account, space: AddressSpace) -> String? {
        let accounts = recipient === envelope.sender.account ? [recipient] : [recipient, envelope.sender.account]
        let actual = Set(accounts.flatMap { $0.devices.values.map { $0.jid(in: space) } })
        var covered = Set(envelope.entries.map { device($0.jid)?.jid(in: space) ?? $0.jid })
        covered.insert(envelope.sender.jid(in: space))
        return covered == actual ? nil : DeviceHash.of(actual)
    }

    /// By account number, then device id (section 25).
    static func fanOutOrder(_ left: (device: Device, enc: Stanza), _ right: (device: Device, enc: Stanza)) -> Bool {
        (left.device.account.phone, left.device.id) < (right.device.account.phone, right.device.id)
    }

    // MARK: Peer messages

    /// Between own devices: to the named one, without a device to the phone.
    func relayPeer(_ envelope: MessageEnvelope, _ outcome: inout RelayOutcome) throws(RelayRefusal) {
        guard let space = AddressSpace(envelope.to), account(envelope.to) === envelope.sender.account else {
            throw RelayRefusal(403)
        }
        guard let device = device(envelope.to), device !== envelope.sender else { throw RelayRefusal(404) }
        let listed = envelope.entries.first { self.device($0.jid) === device }?.enc
        guard let enc = envelope.shared.first ?? listed else { throw RelayRefusal(479) }
        enqueue(envelope.copy(["from": .jid(envelope.sender.jid(in: space))], enc: [enc]), for: device)
        outcome.copies += 1
    }

    // MARK: Privacy tokens

    /// Strict mode: a valid token that the recipient issued to the sender, or an earlier message from the recipient.
    private func hasToken(_ message: Stanza, from sender: Account, to recipient: Account) -> Bool {
        if acquaintances.wrote(recipient.phone, sender.phone) { return true }
        guard let token = message.child("tctoken")?.bytesContent else { return false }
        let now = PrivacyToken.bucket(clock.seconds)
        return (0..<PrivacyToken.buckets).contains {
            token == privacyToken(from: recipient, to: sender, bucket: now - $0)
        }
    }

    /// The token by which `issuer` vouches for `holder` (08, section 12.1).
    func privacyToken(from issuer: Account, to holder: Account, bucket: Int64) -> Bytes {
        HMACSHA256.authenticate(
            Bytes("\(issuer.phone)/\(holder.phone)/\(bucket)".utf8), key: random.constant("tokens", 32))
    }

    func remember(_ sender: Account, wroteTo recipient: Account) {
        guard acquaintances.addWriting(sender.phone, recipient.phone) else { return }
        store.put("wrote/\(sender.phone)/\(recipient.phone)", [])
    }
}

/// The life of trusted-contact tokens (08, section 12.1).
enum PrivacyToken {
    /// Seconds of a bucket.
    static let bucketLength: Int64 = 604_800
    /// Buckets in which a token is valid.
    static let buckets: Int64 = 4
    static func bucket(_ seconds: Int64) -> Int64 { seconds / bucketLength }
}
