import Cryptography
import Transport

/// "Could not decrypt, send again" (04-message-pipeline, section 12).
///
/// ```
/// <receipt id type="retry" to [participant] [recipient] [category="peer"]>
///   <retry count id t v="1" [error]/><registration>4</registration>
///   [<keys><type>05</type><identity/><key><id/><value/></key><skey>…</skey><device-identity/></keys>]
/// </receipt>
/// ```
package enum RetryReceipt {
    /// From this count on nothing is sent and nothing is answered.
    package static let limit = 5

    /// Fresh keys for the sender to build a new session on; the one-time key is committed before the receipt leaves.
    package struct Keys: Sendable {
        package var device: DevicePublicKeys
        package var preKeyID: UInt32
        package var preKey: PublicKey
        /// Serialized, with the account key.
        package var deviceIdentity: [UInt8]
    }

    package static func make(
        for stanza: Stanza, info: MessageInfo, count: Int, registrationID: UInt32, reason: RetryReason?, keys: Keys?
    ) -> Stanza {
        var children = [
            Stanza(
                "retry",
                [
                    "count": .int(count), "id": .text(info.id), "t": stanza.attributes["t"], "v": "1",
                    "error": reason.map { .int($0.rawValue) },
                ]),
            Stanza("registration", bytes: bigEndian(registrationID, 4)),
        ]
        if let keys { children.append(node(keys)) }
        return Stanza(
            "receipt",
            [
                "id": .text(info.id), "type": "retry", "to": .jid(info.from),
                "participant": info.participant.map(AttributeValue.jid),
                "recipient": info.recipient.map(AttributeValue.jid), "category": info.isPeer ? "peer" : nil,
            ], children: children)
    }

    private static func node(_ keys: Keys) -> Stanza {
        Stanza(
            "keys",
            children: [
                Stanza("type", bytes: [PublicKey.typeByte]),
                Stanza("identity", bytes: keys.device.identity.raw),
                PreKeyStanzas.key(id: keys.preKeyID, keys.preKey),
                PreKeyStanzas.signedKey(
                    id: keys.device.signedPreKeyID, keys.device.signedPreKey,
                    signature: keys.device.signedPreKeySignature),
                Stanza("device-identity", bytes: keys.deviceIdentity),
            ])
    }
}

/// How often each message asked for a resend: in memory, bounded; the server's `count` on the resent ciphertext carries it
/// over a restart (04, section 12.1).
package struct RetryCounters: Sendable {
    private struct Key: Hashable {
        var chat: JID
        var sender: JID
        var messageID: String
    }

    private var counts = RecentCache<Key, Int>(capacity: 256)

    package init() {}

    package var count: Int { counts.count }

    /// The number of the next retry receipt, 1…4, or nil to give up.
    package mutating func next(for info: MessageInfo, resendCount: Int?) -> Int? {
        let key = Key(chat: info.chat, sender: info.sender, messageID: info.id)
        let next = (counts[key] ?? min(max(resendCount ?? 0, 0), RetryReceipt.limit)) + 1
        guard next < RetryReceipt.limit else { return nil }
        counts[key] = next
        return next
    }

    package mutating func forget(_ info: MessageInfo) {
        counts[Key(chat: info.chat, sender: info.sender, messageID: info.id)] = nil
    }
}
