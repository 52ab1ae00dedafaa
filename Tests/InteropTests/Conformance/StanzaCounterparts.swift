import Cryptography
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// Our builders by the case of stanzas.json whose stanza they build. A builder gets what the real client sent and takes
/// ids, times, keys and ciphertexts from it, since these vary; all the rest it has to come to by itself.
enum StanzaCounterparts {
    typealias Builder = @Sendable (StanzaCapture.Step) throws -> Stanza?

    static let byCase: [String: Builder] = login.merging(queries) { $1 }.merging(messages) { $1 }.merging(receipts) {
        $1
    }

    /// Differences that the specification wants, by case: the difference and the section.
    static let deliberate: [String: [String: String]] = [
        "send location": [
            "message@type: text is media": "05 section 2.2",
            "message/participants/to/enc@mediatype: location is not expected": "05 section 2.2",
        ],
        "send live location": [
            "message@type: text is media": "05 section 2.2",
            "message/participants/to/enc@mediatype: livelocation is not expected": "05 section 2.2",
        ],
        "send event": [
            "message@type: text is event": "05 section 2.2", "message/meta: is not expected": "05 section 2.2",
        ],
    ]

    /// Our stanza for one that the real client sent; nil when there is none yet.
    static func stanza(for step: StanzaCapture.Step, of name: String) throws -> Stanza? {
        if let common = try housekeeping(step) { return common }
        return try byCase[name]?(step)
    }

    /// The accounts of the captures.
    static func own(_ client: String) -> OwnAddresses {
        let lids = ["563990812625": "100000020007919", "430944754784": "100000020015838"]
        return OwnAddresses(pn: .user(client, device: 1), lid: lids[client].map { .lid($0, device: 1) })
    }

    /// What comes up in many cases: acks, delivery receipts, prekeys, lookups before a send.
    private static func housekeeping(_ step: StanzaCapture.Step) throws -> Stanza? {
        let sent = step.sent
        switch (sent.tag, sent["xmlns"], sent.firstChild?.tag) {
        case ("ack", _, _):
            return step.answered(tag: sent["class"] ?? "").map { Acknowledgement.ack($0) }
        case ("receipt", _, _) where sent.type == "inactive":
            guard let message = step.answered(tag: "message"),
                let info = MessageInfo(message, own: own(step.client))
            else { return nil }
            return Acknowledgement.delivery(for: info, isActive: false)
        case ("ib", _, "unified_session"):
            // The week's remainder stands for the time it was made of.
            let session = sent.child("unified_session")?.int("id") ?? 0
            return LoginStanzas.unifiedSession(serverMilliseconds: Int64(session) - 259_200_000 + 604_800_000)
        case ("iq", "encrypt", "count"): return PreKeyStanzas.count(id: step.id)
        case ("iq", "encrypt", "registration"): return try upload(step)
        case ("iq", "encrypt", "key"):
            return BundleQuery.make(
                id: step.id, devices: sent.child("key")?.childrenContent.compactMap { $0.jid("jid") } ?? [])
        case ("iq", "passive", let mode?):
            return LoginStanzas.passive(id: step.id, isPassive: mode == "passive")
        case ("iq", "usync", _): return usync(step)
        case ("iq", "privacy", "privacy") where sent.type == "get": return LoginStanzas.privacySettings(id: step.id)
        case ("iq", "privacy", "tokens"):
            guard let token = sent.child("tokens", "token"), let user = token.jid("jid"), let time = token.int("t")
            else {
                return nil
            }
            return PrivacyToken.issue(id: step.id, to: user, at: Int64(time))
        case ("iq", "w:g2", "query") where sent.child("query")?["request"] != nil:
            return sent.to.map { GroupInfo.query(id: step.id, group: $0) }
        default: return nil
        }
    }

    private static func upload(_ step: StanzaCapture.Step) throws -> Stanza? {
        func number(_ stanza: Stanza?) -> UInt32 { (stanza?.bytesContent ?? []).reduce(0) { $0 << 8 | UInt32($1) } }
        func key(_ stanza: Stanza?) throws -> PublicKey {
            try PublicKey(raw: stanza?.child("value")?.bytesContent ?? [])
        }
        let (sent, signed) = (step.sent, step.sent.child("skey"))
        let device = DevicePublicKeys(
            registrationID: number(sent.child("registration")),
            identity: try PublicKey(raw: sent.child("identity")?.bytesContent ?? []),
            signedPreKeyID: number(signed?.child("id")), signedPreKey: try key(signed),
            signedPreKeySignature: signed?.child("signature")?.bytesContent ?? [])
        let list = try sent.child("list")?.children("key").map { (number($0.child("id")), try key($0)) } ?? []
        return PreKeyStanzas.upload(id: step.id, device: device, preKeys: list.map { (id: $0.0, publicKey: $0.1) })
    }

    /// Lookups, recognised by what they ask for.
    private static func usync(_ step: StanzaCapture.Step) -> Stanza? {
        guard let body = step.sent.child("usync"), let sid = body["sid"], let list = body.child("list") else {
            return nil
        }
        let users = list.children("user").compactMap { $0.jid("jid") }
        switch (body["mode"], body["context"]) {
        case ("query", "message"): return Usync.devices(id: step.id, sid: sid, users: users)
        case ("full", "background"): return Usync.userInfo(id: step.id, sid: sid, users: users)
        case ("query", "interactive"):
            let phones = list.children("user").compactMap { user -> String? in
                let text = user.child("contact")?.textContent ?? ""
                return text.hasPrefix("+") ? String(text.dropFirst().prefix { $0 != "@" }) : nil
            }
            return Usync.contacts(id: step.id, sid: sid, phones: phones)
        default: return nil
        }
    }
}
