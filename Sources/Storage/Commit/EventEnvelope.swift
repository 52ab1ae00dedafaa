import Messaging

/// The bytes of an event as they are sent and signed (11-webhooks, section 2).
enum EventEnvelope {
    static func body(_ event: DeviceEvent, eventID: String, deviceID: String, sequence: Int64) -> [UInt8] {
        var object = JSONObject()
        object.set("event_type", event.type)
        object.set("event_id", eventID)
        object.set("device_id", deviceID)
        object.set("sequence", sequence)
        object.set("timestamp", event.at.rfc3339)
        object.set("data", raw: event.data)
        return object.bytes
    }
}
