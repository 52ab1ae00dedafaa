import Transport

/// Outgoing read and played receipts (04-message-pipeline, section 15.3).
///
/// ```
/// <receipt id="<first>" type="read" to="<chat>" t [participant]>[<list><item id/>…</list>]</receipt>
/// ```
package enum ReadReceipt {
    /// Ids per receipt.
    package static let batchCount = 256

    package enum Kind: String, Sendable {
        case read
        case readSelf = "read-self"
        case played
        case playedSelf = "played-self"
    }

    /// Receipts for messages of one sender. `participant` (bare) only in groups and status.
    package static func make(
        kind: Kind, chat: JID, ids: [String], participant: JID?, at seconds: Int64
    ) -> [Stanza] {
        stride(from: 0, to: ids.count, by: batchCount).map { start in
            let batch = ids[start..<min(start + batchCount, ids.count)]
            let attributes: StanzaAttributes = [
                "id": .text(batch.first ?? ""), "type": .text(kind.rawValue), "to": .jid(chat), "t": .int(seconds),
                "participant": participant.map { .jid($0.bare) },
            ]
            guard batch.count > 1 else { return Stanza("receipt", attributes) }
            let items = batch.dropFirst().map { Stanza("item", ["id": .text($0)]) }
            return Stanza("receipt", attributes, children: [Stanza("list", children: items)])
        }
    }
}
