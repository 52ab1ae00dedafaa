import OrderedCollections
import Transport

/// Receipts of clients and phones: what they take out of queues and to whom they go (09, sections 15.1 to 15.3;
/// 04, section 22.7).
extension World {
    /// Types that answer a message and so end its queueing (04, section 22.2, rule 3). `nil` is "delivered".
    private static let answering: Set<String?> = [nil, "inactive", "sender", "peer_msg", "hist_sync", "retry"]

    /// Those of them that say once that a message is in safe hands; peer messages have up to three (06, section 17).
    private static let confirming: Set<String?> = [nil, "inactive", "sender"]

    func receiveReceipt(_ receipt: Stanza, from device: Device, on connection: ClientConnection) {
        guard let id = receipt.id else {
            return violation("receipt", "without id", connection: connection, stanza: receipt)
        }
        let ids = [id] + (receipt.child("list")?.children("item") ?? []).compactMap(\.id)
        if Self.answering.contains(receipt.type) {
            for id in ids {
                dequeue("message", id: id, from: nil, participant: nil, of: device)
                if Self.confirming.contains(receipt.type) { checkAnswer(id, .receipt, of: device) }
            }
        }
        route(receipt: receipt, from: device)
        connection.send(.ack(of: receipt, ["type": receipt.attributes["type"], "t": .int(clock.seconds)]))
    }

    /// Sends the receipt of `device` where it belongs.
    func route(receipt: Stanza, from device: Device) {
        guard let id = receipt.id, let to = receipt.to else { return }
        var targets: [String] = []
        switch receipt.type {
        case nil, "inactive":
            targets = forwardToAuthor(receipt, id: id, to: to, from: device)
        case "read", "played":
            let hidden = device.account.privacyValue("readreceipts") == "none" && AddressSpace(to) != nil
            if !hidden { targets = forwardToAuthor(receipt, id: id, to: to, from: device) }
            forwardToOwn(receipt, type: hidden ? "\(receipt.type ?? "read")-self" : receipt.type, to: to, from: device)
        case "read-self", "played-self":
            forwardToOwn(receipt, type: receipt.type, to: to, from: device)
        case "sender":
            targets = forwardSender(receipt, id: id, to: to, from: device)
        case "retry":
            targets = forwardRetry(receipt, id: id, to: to, from: device)
        case "peer_msg", "hist_sync", "server-error":
            tellOwnPhone(receipt, from: device)
            if receipt.type == "hist_sync" { note(.historyReceipt, receipt, from: device) }
        case "view", "enc_rekey_retry": break
        case .some(let type): violation("receipt", "unknown type \(type)", device: device, stanza: receipt)
        }
        events.emit(
            .receiptRouted, account: device.account.phone, device: Int(device.id), connection: device.connection?.id,
            [
                "id": .string(id), "to": .string(to.description), "type": .string(receipt.type ?? ""),
                "targets": .array(targets.map { .string($0) }),
            ])
    }

    private func note(_ type: EventType, _ receipt: Stanza, from device: Device) {
        events.emit(
            type, account: device.account.phone, device: Int(device.id), connection: device.connection?.id,
            ["id": .string(receipt.id ?? ""), "to": .string(receipt.to?.description ?? "")])
    }

    private func tellOwnPhone(_ receipt: Stanza, from device: Device) {
        guard !device.isPhone else { return }
        tellPhone(device.account, receipt.forwarded(["from": .jid(device.jid(in: .pn)), "t": .int(clock.seconds)]))
    }

    // MARK: Delivered, read, played: to the author

    private func forwardToAuthor(_ receipt: Stanza, id: String, to: JID, from device: Device) -> [String] {
        let isRoom = to.isGroup || to.isBroadcast
        guard let authorJID = isRoom ? receipt.jid("participant") : to, let author = account(authorJID) else {
            return []
        }
        let attributes: StanzaAttributes
        if isRoom {
            let mode = to.isGroup ? groups[to.user]?.mode ?? .lid : .lid
            let viewer = receiptAddress(of: device, in: mode)
            if settings.groupedReceipts, to.isGroup {
                return send(
                    groupedReceipt(receipt, id: id, group: to, viewer: viewer), toDevicesOf: author, except: device)
            }
            attributes = ["from": .jid(to), "participant": .jid(viewer)]
        } else {
            let space =
                author.devices.values.lazy.compactMap { self.sent.entry($0, id) }.first
                .flatMap { AddressSpace($0.to) } ?? AddressSpace(to) ?? .lid
            attributes = ["from": .jid(receiptAddress(of: device, in: space))]
        }
        return send(receipt.forwarded(attributes.merging(time)), toDevicesOf: author, except: device)
    }

    private var time: StanzaAttributes { ["t": .int(clock.seconds)] }

    private func receiptAddress(of device: Device, in space: AddressSpace) -> JID {
        settings.receiptsNameDevice ? device.jid(in: space) : device.account.jid(in: space)
    }

    /// `<receipt from=<gid> id t [type]><participants key><user jid t/></participants></receipt>`.
    private func groupedReceipt(_ receipt: Stanza, id: String, group: JID, viewer: JID) -> Stanza {
        Stanza(
            "receipt",
            ["from": .jid(group), "id": .text(id), "t": .int(clock.seconds), "type": receipt.attributes["type"]],
            children: [
                Stanza(
                    "participants", ["key": .text(id)],
                    children: [Stanza("user", ["jid": .jid(viewer), "t": .int(clock.seconds)])])
            ])
    }

    private func send(_ stanza: Stanza, toDevicesOf account: Account, except device: Device) -> [String] {
        let targets = account.devices.values.filter { $0 !== device }
        for target in targets { enqueue(stanza, for: target) }
        return targets.map { $0.jid(in: .pn).description }
    }

    // MARK: Read here: to the reader's other devices

    private func forwardToOwn(_ receipt: Stanza, type: String?, to: JID, from device: Device) {
        let account = device.account
        var attributes: StanzaAttributes
        if to.isGroup || to.isBroadcast {
            let mode = to.isGroup ? groups[to.user]?.mode ?? .lid : .lid
            attributes = [
                "from": .jid(to), "participant": .jid(account.jid(in: mode)),
                "recipient": receipt.jid("participant").map { .jid($0.bare) },
            ]
        } else {
            attributes = [
                "from": .jid(account.jid(in: AddressSpace(to) ?? .lid)), "recipient": .jid(to.bare),
            ]
        }
        attributes["type"] = type.map { .text($0) }
        _ = send(receipt.forwarded(attributes.merging(time)), toDevicesOf: account, except: device)
    }

    // MARK: Own copies and retries: to one device

    /// `sender`: the copy of an own message reached another own device; goes to the one that sent it.
    private func forwardSender(_ receipt: Stanza, id: String, to: JID, from device: Device) -> [String] {
        let candidates = [to, receipt.jid("participant")].compactMap(\.self)
        let named = candidates.compactMap { self.device($0) }.first { $0.account === device.account && $0 !== device }
        // One of Baileys' forms names only the chat; then the message memory knows who sent it.
        let remembered = device.account.devices.values.first { sent.entry($0, id) != nil && $0 !== device }
        guard let target = remembered ?? named else { return [] }
        let chat =
            receipt.jid("recipient") ?? (to.isGroup || to.isBroadcast ? to : nil)
            ?? sent.entry(target, id)?.to.bare
        let space = chat.flatMap { AddressSpace($0) } ?? AddressSpace(to) ?? .lid
        enqueue(
            receipt.forwarded(
                ([
                    "from": .jid(device.jid(in: space)), "recipient": chat.map { .jid($0) }, "type": "sender",
                ] as StanzaAttributes).merging(time)),
            for: target)
        return [target.jid(in: .pn).description]
    }

    private func forwardRetry(_ receipt: Stanza, id: String, to: JID, from device: Device) -> [String] {
        events.emit(
            .retryRequested, account: device.account.phone, device: Int(device.id), connection: device.connection?.id,
            [
                "id": .string(id), "to": .string(to.description),
                "count": .int(Int64(receipt.child("retry")?.int("count") ?? 0)),
                "keys": .bool(receipt.child("keys") != nil),
            ])
        if receipt["category"] == "peer" {
            tellOwnPhone(receipt, from: device)
            return []
        }
        let isRoom = to.isGroup || to.isBroadcast
        let address = isRoom ? receipt.jid("participant") : to
        guard let address, let target = self.device(address), target !== device else { return [] }
        let attributes: StanzaAttributes
        if isRoom {
            let mode = AddressSpace(address) ?? .lid
            attributes = ["from": .jid(to), "participant": .jid(device.jid(in: mode))]
        } else {
            attributes = [
                "from": .jid(device.jid(in: AddressSpace(to) ?? .lid)), "recipient": receipt.attributes["recipient"],
            ]
        }
        enqueue(receipt.forwarded(attributes.merging(time)), for: target)
        return [target.jid(in: .pn).description]
    }
}

extension Stanza {
    /// A receipt as it goes on: `id`, `type` and the children of this one under the given addresses.
    fileprivate func forwarded(_ attributes: StanzaAttributes) -> Stanza {
        var base: StanzaAttributes = ["id": self.attributes["id"], "type": self.attributes["type"]]
        base = base.merging(attributes)
        return Stanza("receipt", base, content: content)
    }
}
