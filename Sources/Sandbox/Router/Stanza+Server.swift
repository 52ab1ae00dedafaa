import Transport

/// The stanzas that the server builds again and again (09, sections 3, 11, 22).
extension Stanza {
    /// `<iq type="result" id from=<the request's to, or the server>>…</iq>`.
    static func result(to request: Stanza, _ attributes: StanzaAttributes = [:], children: [Stanza] = []) -> Stanza {
        let base: StanzaAttributes = [
            "from": .jid(request.jid("to") ?? .serverJID), "id": request.attributes["id"], "type": "result",
        ]
        let merged = base.merging(attributes)
        return children.isEmpty ? Stanza("iq", merged) : Stanza("iq", merged, children: children)
    }

    /// `<iq type="error"><error code text [backoff]/></iq>`.
    static func error(to request: Stanza, _ error: IQError, backoff: Int? = nil) -> Stanza {
        Stanza(
            "iq",
            [
                "from": .jid(request.jid("to") ?? .serverJID), "id": request.attributes["id"], "type": "error",
            ],
            children: [
                Stanza(
                    "error",
                    ["code": .int(error.code), "text": .text(error.text), "backoff": backoff.map { .int($0) }])
            ])
    }

    /// `<stream:error code/>`.
    static func streamError(code: Int) -> Stanza { Stanza("stream:error", ["code": .int(code)]) }

    /// `<stream:error [code]><conflict type/></stream:error>`: `replaced` without a code, `device_removed` with 401.
    static func conflict(_ type: String, code: Int? = nil) -> Stanza {
        Stanza(
            "stream:error", ["code": code.map { .int($0) }], children: [Stanza("conflict", ["type": .text(type)])])
    }

    /// `<failure reason location="sbx" …/>`.
    static func failure(reason: Int, _ more: StanzaAttributes = [:]) -> Stanza {
        Stanza("failure", (["reason": .int(reason), "location": "sbx"] as StanzaAttributes).merging(more))
    }

    /// `<ib from=S>child</ib>`.
    static func bulletin(_ child: Stanza) -> Stanza { Stanza("ib", ["from": .jid(.serverJID)], children: [child]) }

    /// `<ack class=<tag> id from=<the stanza's to> [type] [participant] [recipient] …/>`.
    static func ack(of stanza: Stanza, _ more: StanzaAttributes = [:]) -> Stanza {
        let base: StanzaAttributes = [
            "class": .text(stanza.tag), "id": stanza.attributes["id"], "from": stanza.attributes["to"],
            "participant": stanza.attributes["participant"],
        ]
        return Stanza("ack", base.merging(more))
    }
}

/// An error answer to an IQ; code and text belong together, whatsmeow compares both (09, section 22.1; 07, section 6).
package enum IQError: Error, Sendable, Equatable {
    case alreadyExists, badRequest, notAuthorized, forbidden, itemNotFound, notAllowed, notAcceptable, conflict, gone
    case resourceLimit, locked, rateOverLimit, internalServerError, notImplemented, serviceUnavailable
    case other(code: Int, text: String)

    package var code: Int {
        switch self {
        case .alreadyExists: 304
        case .badRequest: 400
        case .notAuthorized: 401
        case .forbidden: 403
        case .itemNotFound: 404
        case .notAllowed: 405
        case .notAcceptable: 406
        case .conflict: 409
        case .gone: 410
        case .resourceLimit: 419
        case .locked: 423
        case .rateOverLimit: 429
        case .internalServerError: 500
        case .notImplemented: 501
        case .serviceUnavailable: 503
        case .other(let code, _): code
        }
    }

    package var text: String {
        switch self {
        case .alreadyExists: "already-exists"
        case .badRequest: "bad-request"
        case .notAuthorized: "not-authorized"
        case .forbidden: "forbidden"
        case .itemNotFound: "item-not-found"
        case .notAllowed: "not-allowed"
        case .notAcceptable: "not-acceptable"
        case .conflict: "conflict"
        case .gone: "gone"
        case .resourceLimit: "resource-limit"
        case .locked: "locked"
        case .rateOverLimit: "rate-overlimit"
        case .internalServerError: "internal-server-error"
        case .notImplemented: "feature-not-implemented"
        case .serviceUnavailable: "service-unavailable"
        case .other(_, let text): text
        }
    }
}
