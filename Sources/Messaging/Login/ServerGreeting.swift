import Transport

/// `<success t lid …>` (01-transport, section 19).
package struct LoginSuccess: Sendable, Equatable {
    /// Server time, Unix seconds.
    package var timestamp: Int64?
    package var lid: JID?
    package var pushName: String?

    package init(_ stanza: Stanza) {
        timestamp = stanza.int("t").map(Int64.init)
        lid = stanza.jid("lid").flatMap { $0.isLID && !$0.user.isEmpty ? $0 : nil }
        pushName = stanza["display_name"]
    }
}

/// What the end of a stream asks of us (01-transport, sections 19 and 20).
package enum StreamVerdict: Sendable, Equatable {
    /// Dial again at once.
    case restart
    /// Dial again after the ladder's delay, at least `after` seconds.
    case retry(after: Int64, reason: String)
    /// Refresh the client version, try once more, then stop.
    case outdated
    case end(SessionEnd)

    /// From `<failure reason [code] [expire]/>`.
    package init(failure stanza: Stanza, now: Timestamp) {
        let reason = stanza.int("reason") ?? 0
        switch reason {
        case 401, 403, 406:
            let text = stanza["message"] ?? stanza["logout_message_header"] ?? StreamVerdict.text(reason)
            self = .end(.loggedOut(code: reason, text: text, onConnect: true))
        case 402:
            // One that is over at once would be followed by a login and the next ban: it is held until somebody asks.
            let expire = stanza.int("expire").flatMap { seconds in
                seconds > 0 ? now.adding(seconds: Int64(min(seconds, 10_000_000))) : nil
            }
            self = .end(.banned(code: stanza.int("code") ?? 0, until: expire))
        case 405: self = .outdated
        case 500: self = .retry(after: 0, reason: "server error 500")
        case 503: self = .retry(after: 30, reason: "service unavailable")
        default: self = .end(.refused(code: reason, text: StreamVerdict.text(reason)))
        }
    }

    /// From `<stream:error>`.
    package init(streamError stanza: Stanza) {
        let code = stanza.int("code") ?? 0
        let conflict = stanza.child("conflict")?.type
        if conflict == "replaced" {
            self = .end(.replaced)
        } else if code == 401 || conflict == "device_removed" {
            self = .end(.loggedOut(code: 401, text: conflict ?? "logged out", onConnect: false))
        } else if code == 516 {
            self = .end(.loggedOut(code: 516, text: "force logout", onConnect: false))
        } else if code == 515 {
            self = .restart
        } else if code == 503 {
            self = .retry(after: 30, reason: "service unavailable")
        } else if code == 429 {
            self = .retry(after: 60, reason: "too many connections")
        } else if stanza.child("ack") != nil {
            self = .retry(after: 0, reason: "the server missed an ack")
        } else {
            self = .retry(after: 0, reason: "stream error \(stanza["code"] ?? stanza.firstChild?.tag ?? "unknown")")
        }
    }

    /// Whether the `<stream:error>` is one without an event of its own.
    package static func isUnknown(_ stanza: Stanza) -> Bool {
        let known: Set = [401, 429, 503, 515]
        return !known.contains(stanza.int("code") ?? 0) && stanza.child("conflict") == nil
    }

    static func text(_ reason: Int) -> String {
        switch reason {
        case 400: "generic"
        case 401: "logged out"
        case 403: "main device gone"
        case 405: "client outdated"
        case 406: "banned"
        case 409: "bad user agent"
        case 415: "not found"
        case 418: "client unknown"
        case 501: "experimental"
        default: "unknown error"
        }
    }
}
