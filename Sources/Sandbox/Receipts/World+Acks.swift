import Transport

/// Acks of clients: they take stanzas out of the queue, and say what a client refused (09, section 15.2).
extension World {
    private static let nackNames: [Int: String] = [
        487: "parsing_error", 488: "unrecognised_stanza", 489: "unrecognised_stanza_class",
        490: "unrecognised_stanza_type", 491: "invalid_protobuf", 493: "invalid_hosted_companion_stanza",
        495: "missing_message_secret", 496: "signal_old_counter", 499: "message_deleted_on_peer",
        500: "unhandled_error", 550: "unsupported_admin_revoke", 551: "unsupported_lid_group",
        552: "database_operation_failed",
    ]

    func receiveAck(_ ack: Stanza, from device: Device, on connection: ClientConnection) {
        guard let id = ack.id, let tag = ack["class"] else {
            return violation("ack", "without id or class", connection: connection, stanza: ack)
        }
        dequeue(tag, id: id, from: ack.to, participant: ack.jid("participant"), of: device)
        if tag == "message" { checkAnswer(id, .ack, of: device) }
        guard let error = ack.int("error"), error != 0 else { return }
        let name = Self.nackNames[error] ?? "unknown"
        events.emit(
            .nack, account: device.account.phone, device: Int(device.id), connection: connection.id,
            [
                "id": .string(id), "class": .string(tag), "error": .int(Int64(error)), "name": .string(name),
                "to": .string(ack.to?.description ?? ""),
            ])
        violation("nack", "\(error) \(name) for \(tag) \(id)", connection: connection)
    }
}
