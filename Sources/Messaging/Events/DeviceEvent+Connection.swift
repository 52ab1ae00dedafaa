import Transport

/// Events about the connection and pairing (11-webhooks, section 9.2). `jid` is the own number, empty before pairing.
extension DeviceEvent {
    private static func make(
        _ type: String, own: String, dedupe: String, at: Timestamp, _ fill: (inout JSONObject) -> Void = { _ in }
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("jid", own)
        fill(&data)
        return DeviceEvent(type: type, dedupeKey: "\(type) \(dedupe)", data: data.bytes, at: at)
    }

    /// Key of events that happen at a moment of this session: nothing redelivers them.
    private static func moment(_ at: Timestamp) -> String { String(at.microseconds) }

    static func connected(own: String, lid: JID?, state: ConnectionState, at: Timestamp) -> DeviceEvent {
        make("connection.connected", own: own, dedupe: moment(at), at: at) { data in
            data.set("lid", ifPresent: lid?.bare.description)
            data.set("phone_number", own)
            data.set("push_name", state.pushName)
            data.set("platform", state.platform)
            data.set("business_name", state.businessName)
            data.set("is_logged_in", true)
            data.set("is_connected", true)
        }
    }

    static func disconnected(own: String, reason: String?, at: Timestamp) -> DeviceEvent {
        make("connection.disconnected", own: own, dedupe: moment(at), at: at) { $0.set("reason", ifPresent: reason) }
    }

    static func loggedOut(own: String, end: SessionEnd, at: Timestamp) -> DeviceEvent {
        make("connection.logged_out", own: own, dedupe: moment(at), at: at) { data in
            switch end {
            case .loggedOut(let code, let text, let onConnect):
                data.set("reason", code)
                data.set("reason_text", text)
                data.set("on_connect", onConnect)
                data.set("initiated_by", "phone")
            default:
                data.set("on_connect", false)
                data.set("initiated_by", "api")
            }
        }
    }

    static func reconnecting(own: String, attempt: Int, delayMilliseconds: Int64, at: Timestamp) -> DeviceEvent {
        make("connection.reconnecting", own: own, dedupe: moment(at), at: at) { data in
            data.set("attempt", attempt)
            data.set("delay_ms", delayMilliseconds)
        }
    }

    static func keepAliveTimeout(own: String, errorCount: Int, lastSuccess: Timestamp, at: Timestamp) -> DeviceEvent {
        make("connection.keepalive_timeout", own: own, dedupe: moment(at), at: at) { data in
            data.set("error_count", errorCount)
            data.set("last_success", lastSuccess.rfc3339)
        }
    }

    static func degraded(own: String, reason: String, lastSuccess: Timestamp, at: Timestamp) -> DeviceEvent {
        make("connection.degraded", own: own, dedupe: moment(at), at: at) { data in
            data.set("reason", reason)
            data.set("last_success", lastSuccess.rfc3339)
        }
    }

    static func keepAliveRestored(own: String, at: Timestamp) -> DeviceEvent {
        make("connection.keepalive_restored", own: own, dedupe: moment(at), at: at)
    }

    static func temporaryBan(own: String, code: Int, until: Timestamp?, at: Timestamp) -> DeviceEvent {
        make("connection.temporary_ban", own: own, dedupe: moment(at), at: at) { data in
            data.set("reason", code)
            data.set("expires", until.map { max(0, $0.seconds - at.seconds) &* 1_000_000_000 } ?? 0)
            data.set("reason_text", BanReason.text(code))
            data.set("expires_at", ifPresent: until?.rfc3339)
        }
    }

    static func clientOutdated(own: String, at: Timestamp) -> DeviceEvent {
        make("connection.client_outdated", own: own, dedupe: moment(at), at: at)
    }

    static func connectFailure(own: String, code: Int, text: String, at: Timestamp) -> DeviceEvent {
        make("connection.connect_failure", own: own, dedupe: moment(at), at: at) { data in
            data.set("reason", "\(code): \(text)")
            data.set("message", text)
            data.set("code", code)
        }
    }

    static func streamError(own: String, code: String, at: Timestamp) -> DeviceEvent {
        make("connection.stream_error", own: own, dedupe: moment(at), at: at) { $0.set("code", code) }
    }

    static func streamReplaced(own: String, at: Timestamp) -> DeviceEvent {
        make("connection.stream_replaced", own: own, dedupe: moment(at), at: at) {
            $0.set("warning", "Session opened elsewhere; automatic reconnect is off.")
        }
    }

    static func qr(own: String, codes: [String], at: Timestamp) -> DeviceEvent {
        make("connection.qr", own: own, dedupe: moment(at), at: at) { $0.set("codes", codes) }
    }

    static func pairingCode(_ code: PairingCode, own: String, at: Timestamp) -> DeviceEvent {
        make("connection.pairing_code", own: own, dedupe: moment(at), at: at) { data in
            data.set("code", code.text)
            data.set("expires_at", code.expiresAt.rfc3339)
        }
    }

    /// `public_key` is the object of public-key request options that the server sent.
    static func passkeyRequired(options: String, own: String, at: Timestamp) -> DeviceEvent {
        make("connection.passkey_required", own: own, dedupe: moment(at), at: at) { $0.set("public_key", raw: options) }
    }

    static func scannedWithoutMultidevice(own: String, at: Timestamp) -> DeviceEvent {
        make("connection.qr_scanned_without_multidevice", own: own, dedupe: moment(at), at: at)
    }

    static func pairSuccess(_ pairing: PairSuccess, at: Timestamp) -> DeviceEvent {
        make("connection.pair_success", own: pairing.jid.user, dedupe: pairing.jid.description + moment(at), at: at) {
            fill(pairing, into: &$0)
        }
    }

    static func pairError(_ pairing: PairSuccess?, error: PairingError, at: Timestamp) -> DeviceEvent {
        make("connection.pair_error", own: "", dedupe: moment(at), at: at) { data in
            fill(pairing, into: &data)
            data.set("error", error.text)
        }
    }

    private static func fill(_ pairing: PairSuccess?, into data: inout JSONObject) {
        data.set("pair_jid", pairing?.jid.description ?? "")
        data.set("pair_lid", pairing?.lid.description ?? "")
        data.set("business_name", pairing?.businessName ?? "")
        data.set("platform", pairing?.platform ?? "")
    }

    static func offlinePreview(
        own: String, total: Int, appData: Int, messages: Int, notifications: Int, receipts: Int, at: Timestamp
    ) -> DeviceEvent {
        make("offline.sync_preview", own: own, dedupe: moment(at), at: at) { data in
            data.set("total", total)
            data.set("app_data_changes", appData)
            data.set("messages", messages)
            data.set("notifications", notifications)
            data.set("receipts", receipts)
        }
    }

    static func offlineCompleted(own: String, count: Int, at: Timestamp) -> DeviceEvent {
        make("offline.sync_completed", own: own, dedupe: moment(at), at: at) { $0.set("count", count) }
    }

    static func identityChange(own: String, target: Party, isImplicit: Bool, stanzaID: String, at: Timestamp)
        -> DeviceEvent
    {
        make("identity.change", own: own, dedupe: "\(target.key) \(stanzaID)", at: at) { data in
            data.set("target", target.shown)
            data.set("target_lid", ifPresent: target.hidden)
            data.set("timestamp", at.rfc3339)
            data.set("implicit", isImplicit)
        }
    }

    static func pushNameUpdate(own: String, target: Party, old: String, new: String, at: Timestamp) -> DeviceEvent {
        make("pushname.update", own: own, dedupe: "\(target.key) \(moment(at))", at: at) { data in
            data.set("target", target.shown)
            data.set("target_alt", target.hidden ?? "")
            data.set("old", old)
            data.set("new", new)
        }
    }
}

/// Ban codes of `<failure reason="402" code>` (01-transport, section 19).
package enum BanReason {
    package static func text(_ code: Int) -> String {
        switch code {
        case 101: "too many messages to people who do not have you as contact"
        case 102: "blocked by too many people"
        case 103: "too many groups with people who do not have you as contact"
        case 104: "same message to too many people"
        case 106: "too many messages to a broadcast list"
        default: "unspecified violation of the terms"
        }
    }
}
