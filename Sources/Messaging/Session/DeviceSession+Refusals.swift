import Logging

/// Rows that the store refuses, again and again: a value that no column holds, a key that is too long.
extension DeviceSession {
    /// So many refused sets of our own making in a minute end the session.
    private static let maximumRefusals = 3

    /// A change set was refused, and everything submitted after it failed with it. The stanza whose handling made it is
    /// poison: its redelivery is refused, not handled (04-message-pipeline, section 13.7). The others come again over a
    /// new connection.
    func rowsRefused(_ reason: String, stanza: String?) {
        if let stanza {
            logger.error("a stanza makes rows that the store refuses", metadata: ["stanza": "\(stanza)"])
            lane.refuse(stanza)
        } else {
            ownRefusals += 1
            guard ownRefusals < Self.maximumRefusals else { return end(.storage(reason), announce: false) }
        }
        returnUnstoredSends()
        loseConnection(.ladder(minimum: 1), reason: "the store refused rows")
    }

    /// Sends whose rows are not stored fail; those that are and did not leave are encrypted again.
    private func returnUnstoredSends() {
        for send in pendingSends.values.sorted(by: { $0.order < $1.order }) where !send.wasWritten {
            if send.intent > tickets.watermark {
                failSend(send.id, .storageUnavailable)
            } else {
                pendingSends[send.id]?.requeue()
            }
        }
    }
}
