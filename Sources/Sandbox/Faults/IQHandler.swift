import Transport

/// An answer of one's own to the IQs that match, in place of the server's (`POST /v1/iq-handlers`).
package struct IQHandler: Sendable, Equatable {
    private enum Answer: Sendable, Equatable {
        /// The children of a result.
        case result([Stanza])
        case error(code: Int, text: String)
    }

    package var id = 0
    package let match: FaultMatch
    /// The document it was made from.
    private let source: JSONValue
    private let answer: Answer

    /// Reads `{match, answer: xml | node | error}`; an error is `{error: {code, text}}`, also directly in the document. XML is
    /// either the whole `iq` or the child of a result.
    package init(json: JSONValue) throws {
        guard let members = json.objectValue else { throw FaultEffect.ParsingError.malformed("a handler is an object") }
        match = try FaultMatch(json: members["match"] ?? .object([:]))
        source = json
        if let error = members["error"] ?? members["answer"]?["error"] {
            guard let code = error["code"]?.intValue.flatMap({ Int(exactly: $0) }) else {
                throw FaultEffect.ParsingError.malformed("error needs a code")
            }
            answer = .error(code: code, text: error["text"]?.stringValue ?? "bad-request")
            return
        }
        let stanza: Stanza
        switch members["answer"] {
        case .string(let xml)?: stanza = try StanzaText.parse(xml: xml)
        case let node?:
            if let xml = node["xml"]?.stringValue {
                stanza = try StanzaText.parse(xml: xml)
            } else {
                stanza = try StanzaText.parse(json: node)
            }
        case nil: throw FaultEffect.ParsingError.malformed("a handler needs an answer or an error")
        }
        answer = .result(stanza.tag == "iq" ? stanza.childrenContent : [stanza])
    }

    package var json: JSONValue {
        var members = source.objectValue ?? [:]
        members["id"] = .number(id)
        return .object(members)
    }

    func handles(_ subject: FaultSubject) -> Bool {
        subject.tag == "iq" && (subject.type == "get" || subject.type == "set") && match.matches(subject)
    }

    func answer(to request: Stanza) -> Stanza {
        var stanza = Stanza("iq", ["from": .jid(request.to ?? .serverJID), "id": request.attributes["id"]])
        switch answer {
        case .result(let children):
            stanza["type"] = "result"
            if !children.isEmpty { stanza.content = .children(children) }
        case .error(let code, let text):
            stanza["type"] = "error"
            stanza.content = .children([Stanza("error", ["code": .text(String(code)), "text": .text(text)])])
        }
        return stanza
    }
}
