import Transport

/// Stanzas of the post-login sequence (02-pairing-login, sections 13 and 16; 01-transport, sections 18 and 22 to 25).
package enum LoginStanzas {
    package static func passive(id: String, isPassive: Bool) -> Stanza {
        IQ.set(id: id, namespace: "passive", Stanza(isPassive ? "passive" : "active"))
    }

    /// Keepalive: no child.
    package static func ping(id: String) -> Stanza { IQ.get(id: id, namespace: "w:p") }

    /// Answer to a ping of the server's, which need not have an id nor, with a child `<ping/>`, a namespace.
    package static func pong(_ ping: Stanza) -> Stanza? {
        guard ping["xmlns"] == "urn:xmpp:ping" || ping.child("ping") != nil else { return nil }
        return Stanza(
            "iq", ["type": "result", "to": ping.attributes["from"], "id": ping.attributes["id"]])
    }

    /// N = (server milliseconds + three days) mod one week.
    package static func unifiedSession(serverMilliseconds: Int64) -> Stanza {
        let id = (serverMilliseconds + 259_200_000) % 604_800_000
        return Stanza("ib", children: [Stanza("unified_session", ["id": .int(id)])])
    }

    package static func offlineBatch(count: Int) -> Stanza {
        Stanza("ib", children: [Stanza("offline_batch", ["count": .int(count)])])
    }

    package static func cleanDirtyBits(id: String, type: String, timestamp: String?) -> Stanza {
        IQ.set(
            id: id, namespace: "urn:xmpp:whatsapp:dirty",
            Stanza("clean", ["type": .text(type), "timestamp": timestamp.map(AttributeValue.text)]))
    }

    package static func properties(id: String) -> Stanza {
        IQ.get(id: id, namespace: "abt", Stanza("props", ["protocol": "1"]))
    }

    package static func blocklist(id: String) -> Stanza { IQ.get(id: id, namespace: "blocklist") }

    package static func privacySettings(id: String) -> Stanza {
        IQ.get(id: id, namespace: "privacy", Stanza("privacy"))
    }

    /// Category → value.
    package static func privacySettings(of answer: Stanza) -> [String: String] {
        let categories = answer.child("privacy")?.children("category") ?? []
        return Dictionary(
            categories.compactMap { node in
                guard let name = node["name"], let value = node["value"] else { return nil }
                return (name, value)
            }, uniquingKeysWith: { $1 })
    }
}
