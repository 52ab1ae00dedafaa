/// What of an event is sealed at rest: the whole body of those that carry what links a device. A QR's text holds the ADV
/// secret, and either code lets its reader's phone take the device (13-configuration, section 15).
///
/// Layout of a stored body: the JSON object as it is, which begins with `{`, or the byte 1 and the sealed object.
struct EventSeals: Sendable {
    static let types: Set<String> = ["connection.qr", "connection.pairing_code"]

    private static let mark: UInt8 = 1

    let sealing: any SecretSealing

    /// The body as it is stored. Throws when it cannot be sealed.
    func stored(_ body: [UInt8], type: String, eventID: String) throws -> [UInt8] {
        guard Self.types.contains(type) else { return body }
        return [Self.mark] + (try sealing.seal(body, context: Self.context(eventID)))
    }

    /// The body from what is stored; nil when there is none, or none that opens: its data key is gone.
    func opened(_ stored: [UInt8]?, eventID: String) -> [UInt8]? {
        guard let stored, stored.first == Self.mark else { return stored }
        return try? sealing.open(Array(stored.dropFirst()), context: Self.context(eventID))
    }

    private static func context(_ eventID: String) -> String { "webhook_events.body:\(eventID)" }
}
