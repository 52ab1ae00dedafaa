/// Why a client refuses a stanza: the `error` attribute of its ack (01-transport, section 16.2).
package enum RefusalCode: Int, Sendable {
    case parsingError = 487
    case unrecognizedStanza = 488
    case unrecognizedStanzaClass = 489
    case unrecognizedStanzaType = 490
    case invalidProtobuf = 491
    case invalidHostedCompanionStanza = 493
    case missingMessageSecret = 495
    /// An old Signal counter: a duplicate.
    case oldCounter = 496
    case messageDeletedOnPeer = 499
    case unhandledError = 500
    case unsupportedAdminRevoke = 550
    case unsupportedLIDGroup = 551
    case databaseOperationFailed = 552
}

extension Stanza {
    /// The ack of a received stanza: `<ack class id to [participant] [recipient] [type] [error]/>`
    /// (01-transport, section 16.2). To be sent after the commit.
    ///
    /// - Returns: nil when the stanza has no id or sender to acknowledge.
    package func ack(refusing code: RefusalCode? = nil) -> Stanza? {
        guard let id = attributes["id"], let from = attributes["from"] else { return nil }
        return Stanza(
            "ack",
            [
                "class": .text(tag), "id": id, "to": from, "participant": attributes["participant"],
                "recipient": attributes["recipient"], "type": attributes["type"],
                "error": code.map { .int($0.rawValue) },
            ])
    }
}
