import Messaging
import Storage

/// Why a device is not connected, in the words that the API shows (12-device-scoping-api, section 6.1).
package struct DeviceReason: Sendable, Equatable {
    package let word: String
    /// WhatsApp's number: of a ban, of a refusal.
    package let code: Int?
    package let text: String?
    /// End of a ban.
    package let until: Timestamp?

    package init(word: String, code: Int? = nil, text: String? = nil, until: Timestamp? = nil) {
        self.word = word
        self.code = code
        self.text = text
        self.until = until
    }

    package init(_ end: SessionEnd) {
        switch end {
        case .loggedOut(let code, let text, _):
            let word =
                switch code {
                case 403: "account_locked"
                case 406: "account_banned"
                default: "logged_out_by_phone"
                }
            self.init(word: word, code: code, text: text)
        case .unlinked: self.init(word: "logged_out_by_api")
        case .replaced: self.init(word: "stream_replaced")
        case .banned(let code, let until): self.init(word: "temporary_ban", code: code, until: until)
        case .clientOutdated: self.init(word: "client_outdated")
        case .refused(let code, let text): self.init(word: "connect_failure", code: code, text: text)
        case .leaseLost: self.init(word: "lease_moved")
        case .storage: self.init(word: "storage_error")
        }
    }

    /// Of a session; nil while it is well, or while there is nothing to say of it.
    init?(_ state: ConnectionState) {
        if let step = state.pairing {
            self.init(word: step.reason)
        } else if let end = state.end {
            self.init(end)
        } else if state.phase == .waiting || state.phase == .connecting && state.failedAttempts > 0 {
            self.init(word: "network")
        } else {
            return nil
        }
    }

    /// Of a device that no node runs.
    package init?(_ record: DeviceRecord) {
        if let end = record.end {
            self.init(end)
        } else if record.jid == nil {
            self.init(word: "never_paired")
        } else {
            return nil
        }
    }
}

extension DeviceRecord {
    /// How the device ended, while that holds: until somebody acts, the ban is over or another version is known.
    package var end: SessionEnd? {
        switch (wish, status) {
        case (.held, _): heldEnd
        case (_, .loggedOut): loggedOutEnd
        default: nil
        }
    }

    private var heldEnd: SessionEnd? {
        switch heldReason {
        case "stream_replaced": return .replaced
        case "temporarily_banned":
            if let heldUntil, heldUntil <= SystemClock().now() { return nil }
            return .banned(code: endCode ?? 0, until: heldUntil)
        case "client_outdated": return .clientOutdated
        case let reason: return .refused(code: endCode ?? 0, text: endText ?? reason ?? "held")
        }
    }

    private var loggedOutEnd: SessionEnd? {
        switch heldReason {
        case "unlinked": .unlinked
        case "logged_out": .loggedOut(code: endCode ?? 0, text: endText ?? "", onConnect: false)
        default: nil
        }
    }
}
