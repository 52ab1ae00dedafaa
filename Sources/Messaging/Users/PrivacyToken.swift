import Transport

/// Trusted-contact tokens: windows, the request that issues ours, the notification that brings theirs (04, section 10).
package enum PrivacyToken {
    /// Seconds of one bucket.
    static let bucketLength: Int64 = 604_800
    static let bucketCount: Int64 = 4

    static func bucket(_ seconds: Int64) -> Int64 { seconds / bucketLength }

    /// Tokens older than this are expired.
    static func cutOff(now: Int64) -> Int64 { (bucket(now) - (bucketCount - 1)) * bucketLength }

    package static func isValid(timestamp: Int64, now: Int64) -> Bool { timestamp >= cutOff(now: now) }

    /// Whether a send at `now` should issue our token: never issued, or in an older bucket.
    package static func needsIssuing(lastIssued: Int64?, now: Int64) -> Bool {
        guard let lastIssued else { return true }
        return bucket(now) > bucket(lastIssued)
    }

    package static func issue(id: String, to user: JID, at seconds: Int64) -> Stanza {
        IQ.set(
            id: id, namespace: "privacy",
            Stanza(
                "tokens",
                children: [
                    Stanza("token", ["jid": .jid(user.bare), "t": .int(seconds), "type": "trusted_contact"])
                ]))
    }

    /// Tokens in `<notification type="privacy_token" from [sender_lid]><tokens><token t type>bytes</token></tokens>`,
    /// stored under the sender's LID where it is known.
    package static func received(_ stanza: Stanza) -> PrivacyTokenRow? {
        guard let from = stanza.from,
            let token = stanza.child("tokens")?.children("token").first(where: { $0.type == "trusted_contact" }),
            let bytes = token.bytesContent, !bytes.isEmpty, let timestamp = token.int("t")
        else { return nil }
        let user = stanza.jid("sender_lid") ?? from
        return PrivacyTokenRow(user: user.bare.description, token: bytes, timestamp: Int64(timestamp))
    }
}
