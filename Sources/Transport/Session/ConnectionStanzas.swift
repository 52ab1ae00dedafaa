/// The small stanzas that keep a connection going.
extension Stanza {
    /// A keepalive ping; any answer with the id will do (01-transport, section 18).
    package static func keepAlivePing(id: String) -> Stanza {
        Stanza("iq", ["id": .text(id), "xmlns": "w:p", "type": "get", "to": .jid(.serverJID)])
    }

    /// The answer to a ping of the server, nil when this is none (01-transport, section 14.4).
    package func pong() -> Stanza? {
        guard tag == "iq", self["xmlns"] == "urn:xmpp:ping", let id = attributes["id"] else { return nil }
        return Stanza("iq", ["type": "result", "to": .jid(from ?? .serverJID), "id": id])
    }

    /// Tells the server that the client wants its stanzas, or only answers (01-transport, section 24).
    package static func setPassive(_ isPassive: Bool, id: String) -> Stanza {
        Stanza(
            "iq", ["id": .text(id), "xmlns": "passive", "type": "set", "to": .jid(.serverJID)],
            children: [Stanza(isPassive ? "passive" : "active")])
    }

    /// Asks for up to `count` more stanzas of the offline queue (01-transport, section 23).
    package static func offlineBatch(count: Int) -> Stanza {
        Stanza("ib", children: [Stanza("offline_batch", ["count": .int(count)])])
    }

    /// Telemetry that the client sends with its presence (01-transport, section 25).
    ///
    /// - Parameters:
    ///   - now: Unix milliseconds on our clock.
    ///   - serverOffset: server clock minus ours, milliseconds.
    package static func unifiedSession(now: Int64, serverOffset: Int64) -> Stanza {
        let threeDays: Int64 = 259_200_000
        let week: Int64 = 604_800_000
        let sum = now.addingReportingOverflow(serverOffset).partialValue.addingReportingOverflow(threeDays).partialValue
        let id = ((sum % week) + week) % week
        return Stanza("ib", children: [Stanza("unified_session", ["id": .int(id)])])
    }

    /// Tells the server that the dirty bit was dealt with (01-transport, section 22.1).
    package static func clean(dirtyType: String, timestamp: Int64?, id: String) -> Stanza {
        Stanza(
            "iq",
            [
                "id": .text(id), "xmlns": "urn:xmpp:whatsapp:dirty", "type": "set", "to": .jid(.serverJID),
            ],
            children: [Stanza("clean", ["type": .text(dirtyType), "timestamp": timestamp.map { .int($0) }])])
    }
}
