import Foundation
import NIOCore
import Storage

/// Text frames of `/ws` (12-device-scoping-api, section 13): always `code`, `message` and `result`.
///
/// What concerns login and state of the device has frames of its own beside the event they come from. Those of other
/// surfaces (the webhook of a device slot, the comparison of passkey codes, a login that ran out) have no event.
enum SocketFrames {
    /// What a control frame says of its event.
    private enum Control {
        case paired, loggedOut, qr, passkey
        case state(String, reason: String? = nil)
    }

    private static let controls: [String: Control] = [
        "connection.pair_success": .paired, "connection.logged_out": .loggedOut, "connection.qr": .qr,
        "connection.passkey_required": .passkey, "connection.connected": .state("connected"),
        "connection.reconnecting": .state("reconnecting", reason: "network"),
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
        }
        return frame(code, message) { $0.value(.object(result)) }
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
