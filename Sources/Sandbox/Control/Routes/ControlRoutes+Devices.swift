import HTTPTypes
import OrderedCollections
import Transport

/// Linked devices: listing them and ending their connections.
extension ControlRoutes {
    func addDevices() {
        on(.get, "/accounts/:account/devices") { call in .array(try call.account.devices.values.map(\.json)) }
        on(.get, "/accounts/:account/devices/:device") { call in try call.device.json }
        on(.post, "/accounts/:account/devices/:device/kick") { call in
            let device = try call.device
            guard !device.isPhone else { throw ControlError(409, "is_phone", "the phone itself cannot be kicked") }
            let reason = try call.optionalText("reason") ?? "device_removed"
            try call.world.kick(device, reason: reason, notify: try call.optionalBool("notify") ?? true)
            return .done
        }
        on(.post, "/accounts/:account/devices/:device/disconnect") { call in
            guard let connection = try call.device.connection else {
                throw ControlError(409, "not_connected", "the device is not connected")
            }
            switch try call.optionalText("how") ?? "close" {
            case "close": connection.close(code: .normalClosure)
            case "reset": connection.reset()
            case "stream_end": connection.end(with: Stanza("xmlstreamend"))
            default: throw ControlError.invalid("how is close, reset or stream_end")
            }
            return .done
        }
    }
}

extension World {
    /// Takes a companion out (`device_removed`), or ends its connection as if for another reason: `replaced` or the code of a
    /// stream error. Throws 409 when the device is not connected and 422 for an unknown reason.
    func kick(_ device: Device, reason: String, notify: Bool) throws {
        if reason == "device_removed" { return remove(device, reason: reason, notify: notify) }
        guard device.isConnected else { throw ControlError(409, "not_connected", "the device is not connected") }
        if reason == "replaced" { return disconnect(device, with: .conflict("replaced")) }
        guard let code = Int(reason), (100...999).contains(code) else {
            throw ControlError.invalid("reason is device_removed, replaced or the code of a stream error")
        }
        disconnect(device, with: .streamError(code: code))
    }
}
