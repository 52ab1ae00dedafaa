import Foundation
import NIOCore
import Storage

/// Text frames of `/ws` (12-device-scoping-api, section 13): always `code`, `message` and `result`.
///
/// What concerns login and state of the device has frames of its own: beside the event they come from, or out of the state of
/// the login where there is no event. The frames about the webhook of a device slot (`DEVICE_WEBHOOK_CONFIG_UPDATED`,
/// `DEVICE_WEBHOOK_UPDATED`) belong to the API of such slots, which does not exist.
enum SocketFrames {
    /// What a control frame says of its event.
    private enum Control {
        case paired, loggedOut, qr, passkey
        case state(String, reason: String? = nil)
    }

    private static let controls: [String: Control] = [
        "connection.pair_success": .paired, "connection.logged_out": .loggedOut, "connection.qr": .qr,
        "connection.passkey_required": .passkey, "connection.connected": .state("connected"),
        "connection.pairing_code": .state("connecting", reason: "pairing_code"),
        "connection.reconnecting": .state("reconnecting", reason: "network"),
        // Shown at once, before the socket is given up (section 6.2).
        "connection.keepalive_timeout": .state("reconnecting", reason: "network"),
        "connection.keepalive_restored": .state("connected"),
        "connection.stream_replaced": .state("disconnected", reason: "stream_replaced"),
        "connection.temporary_ban": .state("disconnected", reason: "temporary_ban"),
        "connection.client_outdated": .state("disconnected", reason: "client_outdated"),
    ]

    /// Whether events of this name have a control frame.
    static func isControl(_ name: String) -> Bool { controls[name] != nil }

    /// `EVENT` with the bytes that webhooks get.
    static func event(_ event: StoredEvent) -> ByteBuffer {
        frame("EVENT", event.type) { writer in
            if let body = event.body { writer.raw(body) } else { writer.null() }
        }
    }

    /// The control frame of an event; nil when it has none. `devices` goes into `DEVICE_LOGGED_OUT`.
    static func control(of event: StoredEvent, deviceID: UUID, devices: JSONValue) -> ByteBuffer? {
        guard let control = controls[event.type] else { return nil }
        let data = event.body.flatMap { try? JSONParser.parse($0) }?["data"]
        let id = deviceID.uuidString.lowercased()
        var result: [(key: String, value: JSONValue)] = [("device_id", .string(id))]
        let (code, message): (String, String)
        switch control {
        case .paired:
            let jid = data?["pair_jid"] ?? ""
            if case .string(let text) = jid { message = "Successfully pair with \(text)" } else { message = "" }
            code = "LOGIN_SUCCESS"
            result.append(("jid", jid))
        case .loggedOut:
            code = "DEVICE_LOGGED_OUT"
            message =
                data?["initiated_by"] == "api"
                ? "Device \(id) logged out (slot kept)" : "Device \(id) was logged out by the phone (slot kept)"
            result.append(("devices", devices))
        case .qr:
            (code, message) = ("QR_CODE", "")
            result.append(("codes", data?["codes"] ?? .array([])))
        case .passkey:
            (code, message) = ("PASSKEY_REQUEST", "")
            result.append(("public_key", data?["public_key"] ?? .null))
        case .state(let state, let reason):
            (code, message) = ("DEVICE_STATE", "")
            result.append(("state", .string(state)))
            if let reason { result.append(("state_reason", .string(reason))) }
            if reason == "temporary_ban" {
                result += [("ban_code", data?["reason"] ?? .null), ("ban_until", data?["expires_at"] ?? .null)]
            }
        }
        return frame(code, message) { $0.value(.object(result)) }
    }

    /// What a login says without an event.
    static func login(_ news: LoginWatch.News, deviceID: UUID) -> ByteBuffer {
        var result: [(key: String, value: JSONValue)] = [("device_id", .string(deviceID.uuidString.lowercased()))]
        let (code, message): (String, String)
        switch news {
        case .confirmation(let shown, let skips):
            (code, message) = ("PASSKEY_CONFIRMATION", "")
            result += [("code", .string(shown)), ("skip_handoff_ux", .bool(skips))]
        case .failure(let reason, let continuation):
            (code, message) = ("PASSKEY_ERROR", reason)
            result.append(("continuation", .bool(continuation)))
        case .timeout:
            (code, message) = ("LOGIN_TIMEOUT", "")
        }
        return frame(code, message) { $0.value(.object(result)) }
    }

    /// The answer to what the socket does not take; `code` is what the client named, if it named anything.
    static func unknown(_ code: String?) -> ByteBuffer {
        let named = code.map { "unknown code: \($0.prefix(64))" } ?? "code is required"
        return frame("ERROR", named) { writer in
            writer.value(.object([("error_code", "unknown_code"), ("codes", .array(["FETCH_DEVICES"]))]))
        }
    }

    /// The answer to `{"code":"FETCH_DEVICES"}`.
    static func devices(_ devices: JSONValue) -> ByteBuffer {
        frame("LIST_DEVICES", "Device found") { $0.value(devices) }
    }

    private static func frame(
        _ code: String, _ message: String, _ result: (inout JSONWriter) -> Void
    ) -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("code", code)
            writer.member("message", message)
            writer.key("result")
            result(&writer)
        }
        return writer.buffer
    }
}
