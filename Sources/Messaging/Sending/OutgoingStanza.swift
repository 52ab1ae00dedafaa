import Transport

/// A ciphertext and the device it is for.
package struct EncryptedCopy: Sendable, Equatable {
    /// Address as in the device list.
    package var device: JID
    /// `pkmsg` or `msg`.
    package var type: String
    package var ciphertext: [UInt8]

    package init(device: JID, type: String, ciphertext: [UInt8]) {
        self.device = device
        self.type = type
        self.ciphertext = ciphertext
    }
}

/// Builds `<message>` for users, groups, peers and resends (04-message-pipeline, sections 8, 9 and 12.2).
package struct OutgoingStanza: Sendable {
    package var id: String
    package var to: JID
    package var traits: StanzaTraits
    /// ADV signed device identity with the account key; goes along whenever a copy is a pkmsg.
    package var deviceIdentity: [UInt8]

    package init(id: String, to: JID, traits: StanzaTraits, deviceIdentity: [UInt8]) {
        self.id = id
        self.to = to
        self.traits = traits
        self.deviceIdentity = deviceIdentity
    }

    /// Tokens of a one-to-one message (04, section 10).
    package enum ContactToken: Sendable, Equatable {
        case trusted([UInt8])
        case companion([UInt8])
    }

    /// ```
    /// <message id to type [edit] [peer_recipient_pn]><participants><to jid><enc v type/></to>…</participants>
    ///   [<device-identity/>] [<meta/>] [<reporting/>] [<tctoken/>|<cstoken/>]</message>
    /// ```
    package func direct(
        copies: [EncryptedCopy], recipientPN: JID?, token: ContactToken?, reportingToken: [UInt8]? = nil
    ) -> Stanza {
        var children = [participants(copies, isKeyCopy: false)]
        children += identity(for: copies) + meta
        if let reportingToken { children.append(OutgoingStanza.reporting(reportingToken)) }
        switch token {
        case .trusted(let bytes): children.append(Stanza("tctoken", bytes: bytes))
        case .companion(let bytes): children.append(Stanza("cstoken", bytes: bytes))
        case nil: break
        }
        return message(["peer_recipient_pn": recipientPN.map { .jid($0.bare) }], children)
    }

    /// ```
    /// <message id to type phash [addressing_mode="lid"]><participants>SKDM copies</participants>[<device-identity/>]
    ///   <enc v type="skmsg"/></message>
    /// ```
    package func group(
        distribution copies: [EncryptedCopy], ciphertext: [UInt8], phash: String, isLIDMode: Bool,
        reportingToken: [UInt8]? = nil
    ) -> Stanza {
        var children = copies.isEmpty ? [] : [participants(copies, isKeyCopy: true)]
        children += identity(for: copies) + meta
        children.append(enc(type: "skmsg", ciphertext, isKeyCopy: false))
        if let reportingToken { children.append(OutgoingStanza.reporting(reportingToken)) }
        return message(["phash": .text(phash), "addressing_mode": isLIDMode ? "lid" : nil], children)
    }

    /// To the own phone: `<message id to="<own bare PN>" type="text" category="peer"><meta appdata="default"/><enc/></message>`.
    package func peer(copy: EncryptedCopy, pushPriority: String?) -> Stanza {
        var children = [Stanza("meta", ["appdata": "default"])]
        children.append(Stanza("enc", ["v": "2", "type": .text(copy.type)], bytes: copy.ciphertext))
        children += identity(for: [copy])
        return Stanza(
            "message",
            [
                "id": .text(id), "to": .jid(to.bare), "type": "text", "category": "peer",
                "push_priority": pushPriority.map(AttributeValue.text),
            ], children: children)
    }

    /// Where a resend goes.
    package enum ResendTarget: Sendable, Equatable {
        /// To the device that asked; `recipient` is the chat when that device is our own.
        case direct(device: JID, recipient: JID?)
        case group(JID, participant: JID, isLIDMode: Bool)
    }

    /// One copy for one device, of a message that went out already: the answer to a retry receipt, with its count and time,
    /// or without them for a device that was missed.
    package func resend(copy: EncryptedCopy, target: ResendTarget, count: Int?, timestamp: String?) -> Stanza {
        var enc = enc(type: copy.type, copy.ciphertext, isKeyCopy: false)
        enc.attributes["count"] = count.map(AttributeValue.int)
        let children = [enc] + identity(for: [copy]) + meta
        var attributes: StanzaAttributes = ["t": timestamp.map(AttributeValue.text)]
        switch target {
        case .direct(let device, let recipient):
            var stanza = self
            stanza.to = device
            attributes["device_fanout"] = "false"
            attributes["recipient"] = recipient.map { .jid($0.bare) }
            return stanza.message(attributes, children)
        case .group(let group, let participant, let isLIDMode):
            var stanza = self
            stanza.to = group
            attributes["participant"] = .jid(participant)
            attributes["addressing_mode"] = isLIDMode ? "lid" : nil
            return stanza.message(attributes, children)
        }
    }

    private func message(_ extra: StanzaAttributes, _ children: [Stanza]) -> Stanza {
        let attributes: StanzaAttributes = [
            "id": .text(id), "to": .jid(to), "type": .text(traits.type), "edit": traits.edit.map(AttributeValue.text),
        ]
        return Stanza("message", attributes.merging(extra), children: children)
    }

    /// Copies of a group key have no media type.
    private func enc(type: String, _ ciphertext: [UInt8], isKeyCopy: Bool) -> Stanza {
        Stanza(
            "enc",
            [
                "v": "2", "type": .text(type),
                "mediatype": isKeyCopy ? nil : traits.mediaType.map(AttributeValue.text),
                "decrypt-fail": traits.hidesDecryptFailure ? "hide" : nil,
            ], bytes: ciphertext)
    }

    private func participants(_ copies: [EncryptedCopy], isKeyCopy: Bool) -> Stanza {
        Stanza(
            "participants",
            children: copies.map { copy in
                Stanza(
                    "to", ["jid": .jid(copy.device)],
                    children: [enc(type: copy.type, copy.ciphertext, isKeyCopy: isKeyCopy)])
            })
    }

    private func identity(for copies: [EncryptedCopy]) -> [Stanza] {
        copies.contains { $0.type == "pkmsg" } ? [Stanza("device-identity", bytes: deviceIdentity)] : []
    }

    /// `<meta/>` of polls and events, `<biz>` of business kinds.
    private var meta: [Stanza] {
        if let type = traits.pollType { return [Stanza("meta", ["polltype": .text(type)])] }
        if let type = traits.eventType { return [Stanza("meta", ["event_type": .text(type)])] }
        return traits.business.map { [Stanza("biz", children: [$0])] } ?? []
    }

    private static func reporting(_ token: [UInt8]) -> Stanza {
        Stanza("reporting", children: [Stanza("reporting_token", ["v": "2"], bytes: token)])
    }
}
