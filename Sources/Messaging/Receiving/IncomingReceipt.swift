import Transport

/// A `<receipt>` from the server (04-message-pipeline, section 15.4).
package struct IncomingReceipt: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case delivered
        /// A copy reached another own device.
        case sender
        case read
        case readSelf
        case played
        case playedSelf
        case retry
        /// Acked and ignored.
        case other(String)
    }

    /// One message and who received it.
    package struct Entry: Sendable, Equatable {
        package var messageID: String
        /// The device (or user) that sent the receipt.
        package var sender: JID
        package var at: Timestamp
    }

    package var kind: Kind
    /// Text of the `type` attribute, empty for delivery.
    package var typeText: String
    package var chat: JID
    package var isFromMe: Bool
    package var entries: [Entry]

    /// Nil when an attribute is missing that must be there: answered with nack 487.
    package init?(_ stanza: Stanza, own: OwnAddresses, now: Timestamp) {
        guard let id = stanza.id, MessageID.isStorable(id), let from = stanza.from else { return nil }
        let at = stanza.int("t").map { Timestamp(seconds: Int64($0)) } ?? now
        typeText = stanza.type ?? ""
        kind =
            switch typeText {
            case "", "inactive": .delivered
            case "sender": .sender
            case "read": .read
            case "read-self": .readSelf
            case "played": .played
            case "played-self": .playedSelf
            case "retry": .retry
            default: .other(typeText)
            }
        let sender: JID
        if from.isGroup || from.isBroadcast {
            chat = from
            let groups = stanza.children("participants")
            guard let participant = stanza.jid("participant") else {
                guard !groups.isEmpty else { return nil }
                isFromMe = false
                entries = IncomingReceipt.grouped(groups, fallbackID: id, at: at)
                return
            }
            sender = participant.withoutHosting
        } else {
            sender = from.withoutHosting
            chat = own.contains(user: from) ? (stanza.jid("recipient") ?? from).withoutHosting.bare : sender.bare
        }
        isFromMe = own.contains(user: sender)
        var ids = [id]
        // A list's items follow the first id.
        for item in stanza.child("list")?.children("item").prefix(1024) ?? [] {
            if let id = item.id, MessageID.isStorable(id), !ids.contains(id) { ids.append(id) }
        }
        entries = ids.map { Entry(messageID: $0, sender: sender, at: at) }
    }

    /// `<participants key="<msg id>"><user jid t/>…</participants>…`
    private static func grouped(_ groups: [Stanza], fallbackID: String, at: Timestamp) -> [Entry] {
        groups.flatMap { group in
            let id = group["key"] ?? fallbackID
            guard MessageID.isStorable(id) else { return [Entry]() }
            return group.children("user").compactMap { user in
                user.jid("jid").map {
                    Entry(
                        messageID: id, sender: $0.withoutHosting,
                        at: user.int("t").map { Timestamp(seconds: Int64($0)) } ?? at)
                }
            }
        }
    }

    /// What it raises the status of an own message to.
    package var status: MessageStatus? {
        switch kind {
        case .delivered: .delivered
        case .read: .read
        case .played: .played
        case .sender, .readSelf, .playedSelf, .retry, .other: nil
        }
    }

    package var receiptKind: ReceiptRow.Kind? {
        switch kind {
        case .delivered: .delivered
        case .read: .read
        case .played: .played
        case .sender, .readSelf, .playedSelf, .retry, .other: nil
        }
    }
}
