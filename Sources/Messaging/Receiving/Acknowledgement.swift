import Transport

/// Answers to received stanzas (04-message-pipeline, sections 15.2 and 16).
package enum Acknowledgement {
    /// Refusal codes of an ack.
    package enum Refusal: Int, Sendable {
        case parsing = 487
        case unrecognisedStanza = 488
        case invalidProtobuf = 491
        case missingMessageSecret = 495
        case unhandled = 500
    }

    /// `<ack class="<tag>" id to="<from>" [participant] [recipient] [type] [error]/>`; the type is not repeated for messages.
    package static func ack(_ stanza: Stanza, refusal: Refusal? = nil) -> Stanza {
        let attributes: StanzaAttributes = [
            "class": .text(stanza.tag), "id": .text(stanza.id ?? ""), "to": stanza.attributes["from"],
            "participant": stanza.attributes["participant"], "recipient": stanza.attributes["recipient"],
            "type": stanza.tag == "message" ? nil : stanza.attributes["type"],
            "error": refusal.map { .int($0.rawValue) },
        ]
        return Stanza("ack", attributes)
    }

    /// Type of the delivery receipt for a message that was handled.
    package static func receiptType(for info: MessageInfo, isActive: Bool) -> String? {
        if info.isFromMe { return info.type == "peer_msg" ? "peer_msg" : "sender" }
        return isActive ? nil : "inactive"
    }

    /// `<receipt id to="<from>" [participant] [recipient] [type]/>`, addresses verbatim.
    package static func delivery(for info: MessageInfo, isActive: Bool) -> Stanza {
        Stanza(
            "receipt",
            [
                "id": .text(info.id), "to": .jid(info.from), "participant": info.participant.map(AttributeValue.jid),
                "recipient": info.recipient.map(AttributeValue.jid),
                "type": receiptType(for: info, isActive: isActive).map(AttributeValue.text),
            ])
    }

    /// `hist_sync` and `peer_msg` receipts to the own bare PN (04, section 14).
    package static func internalReceipt(id: String, type: String, own: OwnAddresses) -> Stanza {
        Stanza("receipt", ["id": .text(id), "type": .text(type), "to": .jid(own.pn.bare)])
    }
}
