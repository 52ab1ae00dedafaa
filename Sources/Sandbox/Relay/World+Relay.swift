import Transport

/// The acceptance of a message: checks, routing by kind, the ack (09, sections 14.1, 14.2; 04, section 22.3).
extension World {
    /// Relays a message of `device` and returns its ack. `digest`: SHA-256 of its bytes in hex; an empty one is never a
    /// duplicate.
    func relay(_ message: Stanza, from device: Device, digest: String, fault: AnswerFault = AnswerFault()) -> Stanza {
        guard let id = message.id, let to = message.to else {
            violation("message", "without id or to", device: device, stanza: message)
            return .ack(of: message, ["t": .int(clock.seconds), "error": "479"])
        }
        if !digest.isEmpty, let earlier = sent.entry(device, id), earlier.digest == digest {
            return ack(of: message, t: earlier.t, error: earlier.error, phash: earlier.phash)
        }
        let reused = positions.reused(in: message, by: device)
        if !reused.isEmpty {
            counters.reusedPositions += reused.count
            violation("position", "used twice: \(reused.joined(separator: ", "))", device: device)
        }
        var outcome = RelayOutcome(t: messageTime())
        do throws(RelayRefusal) {
            if let code = fault.error { throw RelayRefusal(code) }
            try checkSender(device)
            try route(message, id: id, to: to, from: device, &outcome)
        } catch {
            outcome.error = error.code
        }
        if let phash = fault.phash { outcome.phash = phash }
        remember(message, id: id, to: to, from: device, digest: digest, outcome)
        counters.messagesRelayed += 1
        var data: [String: JSONValue] = [
            "id": .string(id), "to": .string(to.description), "t": .int(outcome.t),
            "copies": .int(Int64(outcome.copies)),
        ]
        if let type = message.type { data["type"] = .string(type) }
        if let error = outcome.error { data["error"] = .int(Int64(error)) }
        if let phash = outcome.phash { data["phash"] = .string(phash) }
        events.emit(
            .messageRelayed, account: device.account.phone, device: Int(device.id), connection: device.connection?.id,
            data)
        return ack(of: message, t: outcome.t, error: outcome.error, phash: outcome.phash)
    }

    private func ack(of message: Stanza, t: Int64, error: Int?, phash: String?) -> Stanza {
        .ack(of: message, ["t": .int(t), "phash": phash.map { .text($0) }, "error": error.map { .int($0) }])
    }

    private func checkSender(_ device: Device) throws(RelayRefusal) {
        guard device.account.isRegistered, device.account.standing == .good else { throw RelayRefusal(403) }
        guard let limit = settings.messagesPerMinute else { return }
        guard
            rates.allow("message/\(device.account.phone)", limit: limit, window: 60_000, now: clock.milliseconds)
        else { throw RelayRefusal(429) }
    }

    private func route(
        _ message: Stanza, id: String, to: JID, from device: Device, _ outcome: inout RelayOutcome
    ) throws(RelayRefusal) {
        let envelope = MessageEnvelope(message, id: id, to: to, sender: device, t: outcome.t)
        checkPositions(of: envelope)
        if message["category"] == "peer" { return try relayPeer(envelope, &outcome) }
        switch to.server {
        case .group: try relayGroup(envelope, &outcome)
        case .broadcast where to.isStatus: try relayStatus(envelope, &outcome)
        case .newsletter: throw RelayRefusal(404)
        case .bot: return
        case .user, .lid, .legacyUser, .hosted, .hostedLID: try relayDirect(envelope, &outcome)
        default: throw RelayRefusal(479)
        }
    }

    private func remember(
        _ message: Stanza, id: String, to: JID, from device: Device, digest: String, _ outcome: RelayOutcome
    ) {
        let entry = SentMessage(
            digest: digest, to: to, time: clock.milliseconds, t: outcome.t, error: outcome.error,
            phash: outcome.phash)
        let key = SentMemory.key(device, id)
        for forgotten in sent.remember(entry, under: key) { store.delete("sent/" + forgotten) }
        put("sent/" + key, entry)
    }

    func loadSentMessages() {
        for (key, entry) in records(SentMessage.self, under: "sent/").sorted(by: { $0.1.time < $1.1.time }) {
            for forgotten in sent.remember(entry, under: String(key.dropFirst("sent/".count))) {
                store.delete("sent/" + forgotten)
            }
        }
    }

    // MARK: For the phone

    /// Relays a `message`, routes a `receipt`, forwards a `chatstate` or `call` of an account's device 0.
    @discardableResult
    package func sendFromPhone(_ account: Account, _ stanza: Stanza) -> PhoneSendResult {
        guard let device = account.primary else { return PhoneSendResult(time: clock.seconds, error: 404) }
        switch stanza.tag {
        case "message":
            let ack = relay(stanza, from: device, digest: "")
            return PhoneSendResult(time: ack.int("t").map(Int64.init) ?? clock.seconds, error: ack.int("error"))
        case "receipt": route(receipt: stanza, from: device)
        case "chatstate": receiveChatState(stanza, from: device)
        case "call": forward(call: stanza, from: device)
        default: break
        }
        return PhoneSendResult(time: clock.seconds, error: nil)
    }
}

/// What is being relayed, taken apart once.
@SandboxActor
struct MessageEnvelope {
    let message: Stanza
    let id: String
    let to: JID
    let sender: Device
    /// Seconds.
    let t: Int64
    /// `<participants><to jid><enc/></to>…`: the entries in order, with what names no address left out.
    let entries: [(jid: JID, enc: Stanza?)]
    /// `enc` directly under the message.
    let shared: [Stanza]
    /// `meta`, `biz`, `bot` and whatever else is passed on as it is.
    let passedOn: [Stanza]
    let deviceIdentity: Stanza?

    private static let consumed: Set<String> = [
        "participants", "enc", "device-identity", "reporting", "tctoken", "cstoken",
    ]

    init(_ message: Stanza, id: String, to: JID, sender: Device, t: Int64) {
        self.message = message
        self.id = id
        self.to = to
        self.sender = sender
        self.t = t
        entries = (message.child("participants")?.children("to") ?? []).compactMap { node in
            node.jid("jid").map { ($0, node.child("enc")) }
        }
        shared = message.children("enc")
        passedOn = message.childrenContent.filter { !Self.consumed.contains($0.tag) }
        deviceIdentity = message.child("device-identity")
    }

    /// The copy for one device: the given address attributes, then what all copies share.
    func copy(_ addresses: StanzaAttributes, enc: [Stanza]) -> Stanza {
        let common: StanzaAttributes = [
            "id": .text(id), "type": message.attributes["type"], "t": .int(t),
            "notify": .text(sender.account.pushName), "edit": message.attributes["edit"],
            "category": message.attributes["category"],
        ]
        var children = enc
        if let deviceIdentity, enc.contains(where: { $0["type"] == "pkmsg" }) { children.append(deviceIdentity) }
        if let certificate = sender.account.verifiedName {
            children.append(Stanza("verified_name", ["v": "1"], bytes: certificate))
        }
        return Stanza("message", addresses.merging(common), children: children + passedOn)
    }
}

/// What became of a message.
struct RelayOutcome {
    let t: Int64
    var error: Int?
    var phash: String?
    var copies = 0
    init(t: Int64) { self.t = t }
}

/// The `error` of an ack (22.4).
struct RelayRefusal: Error {
    let code: Int
    init(_ code: Int) { self.code = code }
}
