import Transport

/// Requests and their answers (01-transport, section 14).
package enum IQ {
    /// `<iq id xmlns type="get" to>` with `children`.
    package static func get(
        id: String, namespace: String, to: JID = .serverJID, _ children: Stanza...
    ) -> Stanza {
        request(id: id, namespace: namespace, type: "get", to: to, children)
    }

    package static func set(
        id: String, namespace: String, to: JID = .serverJID, _ children: Stanza...
    ) -> Stanza {
        request(id: id, namespace: namespace, type: "set", to: to, children)
    }

    private static func request(
        id: String, namespace: String, type: String, to: JID, _ children: [Stanza]
    ) -> Stanza {
        let attributes: StanzaAttributes = [
            "id": .text(id), "xmlns": .text(namespace), "type": .text(type), "to": .jid(to),
        ]
        return children.isEmpty ? Stanza("iq", attributes) : Stanza("iq", attributes, children: children)
    }

    /// The answer itself, or the error it carries. Throws `SessionError.serverRefused` or `.malformedAnswer`.
    package static func result(of answer: Stanza) throws(SessionError) -> Stanza {
        switch answer.type {
        case "result": return answer
        case "error":
            let error = answer.child("error")
            throw .serverRefused(code: error?.int("code") ?? 0, text: error?["text"] ?? "")
        default: throw .malformedAnswer("iq of type \(answer.type ?? "none")")
        }
    }
}
