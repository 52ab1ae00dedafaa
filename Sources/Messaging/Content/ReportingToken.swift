import Cryptography
import Transport
import WhatsAppProtobuf

/// Lets a recipient prove to WhatsApp what was sent when reporting it (05-message-content, section 2.5).
package enum ReportingToken {
    /// Version in `reporting_token v`.
    package static let version = 2

    /// Whether a message may carry a token: never reactions, votes and event responses, and none without a secret.
    package static func applies(to message: ProtoMessage) -> Bool {
        guard message[message: "messageContextInfo"]?.has("messageSecret") == true else { return false }
        switch ContentKind(of: MessageWrapper.unwrap(message).message) {
        case .reaction, .encryptedReaction, .eventResponse, .pollVote: return false
        default: return true
        }
    }

    /// The token of a message: the first 16 bytes of HMAC-SHA256(key, reported content).
    ///
    /// - Parameters:
    ///   - message: the serialized message, exactly as it is encrypted.
    ///   - sender: the own address the message is sent with.
    package static func make(
        message: Bytes, secret: MessageSecret, messageID: String, sender: JID, chat: JID
    ) -> Bytes {
        Bytes(
            HMACSHA256.authenticate(
                content(of: message), key: key(secret: secret, messageID: messageID, sender: sender, chat: chat)
            ).prefix(16))
    }

    static func key(secret: MessageSecret, messageID: String, sender: JID, chat: JID) -> SecretBytes {
        secret.key(
            .reportToken, MessageSecret.Target(messageID: messageID, author: sender, modifier: chat))
    }

    /// The reported part of a serialized message: the fields of the tree below in ascending order, kept ones copied as they
    /// are, a submessage of which nothing is kept left out. Empty for malformed bytes.
    static func content(of message: Bytes) -> Bytes {
        (try? reported(message[...], root)) ?? []
    }

    /// Which fields of a message count: all of a field, or some fields inside it.
    private indirect enum Kept: Sendable {
        case whole
        case fields([Int: Kept])
    }

    private static func reported(_ bytes: ArraySlice<UInt8>, _ kept: [Int: Kept]) throws(ProtoError) -> Bytes {
        var reader = ProtoReader(bytes)
        var fields: [(number: Int, bytes: Bytes)] = []
        var start = bytes.startIndex
        while let field = try reader.next() {
            let end = bytes.endIndex - reader.remaining
            defer { start = end }
            switch kept[field.number] {
            case nil: continue
            case .whole: fields.append((field.number, Bytes(bytes[start..<end])))
            case .fields(let inner):
                guard field.wireType == .lengthDelimited else { continue }
                let content = try reported(field.bytes, inner)
                guard !content.isEmpty else { continue }
                var writer = ProtoWriter()
                writer.bytes(field.number, content)
                fields.append((field.number, writer.bytes))
            }
        }
        // The sort is stable: the standard library's is.
        return fields.sorted { $0.number < $1.number }.flatMap(\.bytes)
    }

    private static func kept(_ whole: [Int], _ nested: [Int: Kept] = [:]) -> Kept {
        .fields(Dictionary(uniqueKeysWithValues: whole.map { ($0, Kept.whole) }).merging(nested) { $1 })
    }

    /// Forwarding score and whether forwarded, inside contextInfo.
    private static let forwarded = kept([21, 22])

    private static let root: [Int: Kept] = {
        let video = kept([2, 6, 7, 13, 20], [17: forwarded])
        let poll = kept([2], [3: kept([1, 2]), 5: forwarded, 8: kept([1, 2])])
        return [
            1: .whole,
            3: kept([2, 3, 8, 11, 25], [17: forwarded]),
            4: kept([1, 16], [17: forwarded]),
            5: kept([3, 4, 5, 16], [17: forwarded]),
            6: kept([1, 30], [17: forwarded]),
            7: kept([2, 7, 10, 20], [17: forwarded]),
            8: kept([2, 7, 9, 21], [17: forwarded]),
            9: video, 66: video,
            12: kept([1, 2, 15]),
            18: kept([6, 16], [17: forwarded]),
            26: kept([4, 5, 8, 13], [17: forwarded]),
            28: kept([1, 2, 4, 5, 6], [7: forwarded]),
            49: poll, 60: poll, 64: poll,
            88: kept([1], [2: kept([1]), 3: forwarded]),
        ]
    }()
}
