import Transport
import WhatsAppProtobuf

@testable import Messaging

/// Every event that sessions make, from the code that makes it: once with all that can be known, once with as little as
/// there can be.
enum EventSamples {
    struct Sample {
        let event: DeviceEvent
        /// The person of the event is known by phone number and LID.
        let isFull: Bool
    }

    static let pn = JID.user("15550001111")
    static let lid = JID.lid("222333444555666")
    static let group = JID("120363040000000001@g.us") ?? pn
    static let status = JID("status@broadcast") ?? pn
    private static let own = OwnAddresses(
        pn: .user("15557770000", device: 7), lid: .lid("222000111000222", device: 7))
    private static let at = Timestamp(seconds: 1_767_323_045)

    static func all() throws -> [Sample] {
        let full = connection(isFull: true) + (try messages(isFull: true)) + people(isFull: true)
        let minimal = connection(isFull: false) + (try messages(isFull: false)) + people(isFull: false)
        return full.map { Sample(event: $0, isFull: true) } + minimal.map { Sample(event: $0, isFull: false) }
    }

    // MARK: Connection

    private static func connection(isFull: Bool) -> [DeviceEvent] {
        let number = isFull ? "15557770000" : ""
        var state = ConnectionState()
        if isFull { (state.pushName, state.platform, state.businessName) = ("Ops \"Desk\"", "smba", "Fox & Co") }
        let pairing = try? PairSuccess(
            stanza: Stanza(
                "iq", ["id": "1"],
                children: [
                    Stanza(
                        "pair-success", [:],
                        children: [
                            Stanza("device-identity", [:], bytes: [1, 2, 3]),
                            Stanza("device", ["jid": .jid(own.pn), "lid": own.lid.map(AttributeValue.jid)]),
                            Stanza("platform", ["name": "android"]),
                        ])
                ]))
        let later = at.adding(seconds: 60)
        return [
            .connected(own: number, lid: isFull ? own.lid : nil, state: state, at: at),
            .disconnected(own: number, reason: isFull ? "connect_failure: 503: x" : nil, at: at),
            .loggedOut(
                own: number, end: isFull ? .loggedOut(code: 401, text: "gone", onConnect: true) : .unlinked, at: at),
            .reconnecting(own: number, attempt: 1, delayMilliseconds: 500, at: at),
            .keepAliveTimeout(own: number, errorCount: 1, lastSuccess: at, at: later),
            .keepAliveRestored(own: number, at: at),
            .degraded(own: number, reason: "a message was not acknowledged in time", lastSuccess: at, at: later),
            .temporaryBan(own: number, code: 101, until: isFull ? later : nil, at: at),
            .clientOutdated(own: number, at: at),
            .connectFailure(own: number, code: 503, text: isFull ? "busy" : "", at: at),
            .streamError(own: number, code: isFull ? "516" : "", at: at),
            .streamReplaced(own: number, at: at),
            .qr(own: number, codes: isFull ? ["2@a,b,c,d,1"] : [], at: at),
            .pairingCode(PairingCode(text: "ABCD-EFGH", expiresAt: later), own: number, at: at),
            .passkeyRequired(options: "{}", own: number, at: at),
            .scannedWithoutMultidevice(own: number, at: at),
            .pairError(isFull ? pairing : nil, error: .passkey("no"), at: at),
            .offlinePreview(
                own: number, total: 12, appData: 1, messages: 7, notifications: 1, receipts: 3, at: at),
            .offlineCompleted(own: number, count: 0, at: at),
        ] + (pairing.map { [.pairSuccess($0, at: at)] } ?? [])
    }

    // MARK: Messages

    private static func parties(isFull: Bool) -> MessageParties {
        let person = isFull ? Party(lid, alternative: pn) : Party(lid)
        return MessageParties(chat: person, sender: person)
    }

    private static func info(_ chat: JID? = nil, isFull: Bool) throws -> MessageInfo {
        let stanza = Stanza(
            "message",
            [
                "id": "3EB0A1B2C3D4E5F60718", "from": .jid(chat ?? lid),
                "participant": chat == nil ? nil : .jid(lid), "t": "1767323045", "type": "text",
                "notify": isFull ? "Dana" : nil, "offline": isFull ? "1" : nil,
            ])
        guard let info = MessageInfo(stanza, own: own) else { throw Missing(what: "a message's info") }
        return info
    }

    private static func payload(_ json: String) throws -> MessagePayload {
        try MessagePayload(parsing: ProtoMessage(.message, json: json).serialized(), isFromMe: false)
    }

    struct Missing: Error { let what: String }

    private static func messages(isFull: Bool) throws -> [DeviceEvent] {
        let (info, parties) = (try info(isFull: isFull), parties(isFull: isFull))
        let statusInfo = try Self.info(status, isFull: isFull)
        let statusParties = MessageParties(chat: Party(status), sender: parties.sender)
        let text = try payload(
            isFull
                ? """
                {"extendedTextMessage":{"text":"yes <@1>","contextInfo":{"stanzaID":"A","participant":"1@lid",
                 "quotedMessage":{"conversation":"q"},"mentionedJID":["1@lid"],"expiration":60}}}
                """ : "{}")
        let image = try payload(
            isFull
                ? """
                {"documentWithCaptionMessage":{"message":{"documentMessage":{"mimetype":"text/plain","fileLength":"12",
                 "fileName":"a.txt","caption":"c","directPath":"/v/x","fileSHA256":"AAAA"}}}}
                """ : #"{"imageMessage":{}}"#)
        let poll = try payload(
            isFull
                ? """
                {"pollCreationMessageV3":{"name":"Lunch?","options":[{"optionName":"a"},{"optionName":"b"}],
                 "selectableOptionsCount":1}}
                """ : #"{"pollCreationMessage":{}}"#)
        let vote = try payload(
            isFull
                ? #"{"pollUpdateMessage":{"pollCreationMessageKey":{"ID":"B"}}}"# : #"{"pollUpdateMessage":{}}"#)
        let target = MessageKey(chat: lid, fromMe: true, messageID: "A", participant: nil)
        let claim = AuthorshipClaim(chat: "c", messageID: "A", fromMe: false, author: nil)
        var events: [DeviceEvent] = [
            .messageReceived(
                info, parties: parties, payload: text, type: "text", text: isFull ? "yes" : nil,
                retryCount: isFull ? 2 : 0, at: at),
            .messageReceived(
                info, parties: parties, payload: image, type: "document", text: nil, retryCount: 0, at: at),
            .messageEdited(info, parties: parties, target: target, text: isFull ? "t" : nil, claim: claim, at: at),
            .messageReaction(info, parties: parties, target: target, emoji: isFull ? "👍" : "", at: at),
            .messageDeleted(info, parties: parties, target: target, claim: claim, at: at),
            .messageUndecryptable(
                info, parties: parties, own: "15557770000", isUnavailable: !isFull, unavailableType: "", failMode: "",
                attempt: 0, at: at),
            .messageSent(id: "A", chat: parties.chat, timestamp: at, origin: "api", at: at),
            .messageFailed(id: "A", chat: parties.chat, error: "refused", code: isFull ? 463 : nil, at: at),
            .retryRequested(id: "A", chat: parties.chat, sender: parties.sender, count: 1, at: at),
            .statusDeleted(
                statusInfo, parties: statusParties, target: target, own: "15557770000", claim: nil, at: at),
            .statusViewed(messageID: "A", sender: parties.sender, seenAt: at, own: "15557770000", at: at),
        ]
        events += DeviceEvent.content(info, parties: parties, payload: image, own: "15557770000", at: at)
        events += DeviceEvent.content(info, parties: parties, payload: poll, own: "15557770000", at: at)
        events += DeviceEvent.content(
            statusInfo, parties: statusParties, payload: text, own: "15557770000", at: at)
        events += DeviceEvent.pollVote(info, parties: parties, payload: vote, own: "15557770000", at: at)
        for type in [nil, "read", "played", "read-self"] as [String?] {
            let stanza = Stanza(
                "receipt",
                ["id": "A", "from": .jid(lid), "t": "1767323045", "type": type.map(AttributeValue.text)])
            guard let receipt = IncomingReceipt(stanza, own: own, now: at) else { throw Missing(what: "a receipt") }
            for entry in receipt.entries {
                let event = DeviceEvent.receipt(
                    receipt, entry: entry, chat: parties.chat, sender: parties.sender, at: at)
                if let event { events.append(event) }
            }
        }
        return events
    }

    // MARK: People and groups

    private static func people(isFull: Bool) -> [DeviceEvent] {
        let person = parties(isFull: isFull).sender
        let member = Stanza("participant", ["jid": .jid(lid), "phone_number": isFull ? .jid(pn) : nil])
        let myself = Stanza("participant", ["jid": own.lid.map { .jid($0.bare) }])
        let metadata = Stanza(
            "group", ["id": .text(group.user), "subject": "Tea", "addressing_mode": "lid"], children: [member])
        let changes: [[Stanza]] = [
            [Stanza("create", ["type": "new"], children: [metadata])],
            [
                Stanza("add", isFull ? ["reason": "invite"] : [:], children: [member]),
                Stanza("promote", [:], children: [member]), Stanza("demote", [:], children: [member]),
                Stanza("subject", ["subject": "Coffee"]), Stanza("description", [:]), Stanza("locked", [:]),
                Stanza("announcement", [:]), Stanza("ephemeral", ["expiration": "60"]), Stanza("delete", [:]),
            ],
            [Stanza("remove", [:], children: [member, myself])], [Stanza("invite", [:])],
        ]
        let events = changes.flatMap { children -> [DeviceEvent] in
            let stanza = Stanza(
                "notification",
                [
                    "id": "1", "from": .jid(group), "t": "1767323045", "participant": isFull ? .jid(lid) : nil,
                    "participant_pn": isFull ? .jid(pn) : nil, "addressing_mode": "lid",
                ], children: children)
            guard let notification = GroupNotification(stanza) else { return [] }
            return DeviceEvent.group(notification, own: own, stanzaID: "1", party: { Party($0) }, at: at)
        }
        return events + [
            .identityChange(own: "15557770000", target: person, isImplicit: isFull, stanzaID: "1", at: at),
            .pushNameUpdate(own: "15557770000", target: person, old: "", new: "Dana", at: at),
        ]
    }
}
