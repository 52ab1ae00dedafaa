import Cryptography
import Transport
import WhatsAppProtobuf

/// Messages that answer or change another one and are encrypted under its secret (05-message-content, section 13).
package enum EncryptedAddOn {
    /// A vote: `pollUpdateMessage(50).vote(2)`. Nobody chosen withdraws the vote. `time` is in Unix milliseconds.
    package static func pollVote(
        _ options: [String], poll: MessageKey, secret: MessageSecret, voter: JID, iv: Bytes, time: Int64
    ) throws -> ProtoMessage {
        let target = MessageSecret.Target(
            messageID: poll.messageID, author: poll.author(sender: voter), modifier: voter)
        let payload = try secret.seal(PollVote(options).serialized(), for: .pollVote, target, iv: iv)
        return ProtoMessage(.message) { message in
            message.update("pollUpdateMessage") { update in
                update[message: "pollCreationMessageKey"] = poll.protobuf
                update.update("vote") { vote in
                    vote[bytes: "encPayload"] = payload
                    vote[bytes: "encIV"] = iv
                }
                update[int: "senderTimestampMS"] = time
            }
        }
    }

    /// An edit under the secret: `secretEncryptedMessage(82)`. `type` is a name of its `SecretEncType`.
    package static func edit(
        _ content: ProtoMessage, of key: ProtoMessage, type: String, target: MessageSecret.Target,
        secret: MessageSecret, iv: Bytes
    ) throws -> ProtoMessage {
        guard let use = use(ofSecretType: type) else {
            throw CryptographyError.invalidInput("\(type) is not encrypted under a message secret")
        }
        let payload = try secret.seal(content.serialized(), for: use, target, iv: iv)
        return ProtoMessage(.message) { message in
            message.update("secretEncryptedMessage") { inner in
                inner[message: "targetMessageKey"] = key
                inner[bytes: "encPayload"] = payload
                inner[bytes: "encIV"] = iv
                inner[enumName: "secretEncType"] = type
            }
        }
    }

    /// The use that goes with a `SecretEncType` of `secretEncryptedMessage`; nil for one without.
    package static func use(ofSecretType type: String) -> MessageSecret.Use? {
        switch type {
        case "EVENT_EDIT": .eventEdit
        case "MESSAGE_EDIT": .messageEdit
        case "POLL_EDIT": .pollEdit
        case "POLL_ADD_OPTION": .pollAddOption
        default: nil
        }
    }
}

/// The chosen options of a poll: `PollVoteMessage{selectedOptions(1)*}`, each the SHA-256 of the option's name.
package struct PollVote: Sendable, Equatable {
    /// 32 bytes each, in the order of the poll.
    package var hashes: [Bytes]

    package init(_ options: [String]) { hashes = options.map(PollVote.hash) }

    /// Throws `ProtoError`.
    package init(parsing bytes: Bytes) throws(ProtoError) {
        hashes = try ProtoMessage(.pollVoteMessage, parsing: bytes)[byteStrings: "selectedOptions"]
    }

    package func serialized() -> Bytes {
        ProtoMessage(.pollVoteMessage) { $0[byteStrings: "selectedOptions"] = hashes }.serialized()
    }

    /// SHA-256 of an option's name; 32 bytes.
    package static func hash(_ option: String) -> Bytes { SHA256Digest.hash(Bytes(option.utf8)) }
}
