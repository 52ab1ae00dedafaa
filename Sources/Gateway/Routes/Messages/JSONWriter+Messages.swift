import Messaging
import Storage
import Tenancy

extension JSONWriter {
    /// A stored message (10-rest-api, section 13, row 41). Phone numbers are shown where they are known; the LID is then
    /// the alternative.
    ///
    /// - Parameters:
    ///   - chat: The chat as the caller named it.
    ///   - fate: What became of an own message, where more is known than its row says.
    mutating func message(_ archived: ArchivedMessage, chat: String, fate: SendStatus? = nil) {
        let message = archived.message
        let row = message.row
        let (shown, alternative) = Self.addresses(row.sender, archived.senderAlternative)
        object { writer in
            writer.member("message_id", row.messageID)
            writer.member("chat_jid", chat)
            writer.member("from", shown)
            writer.member("sender_alt", alternative)
            writer.member("push_name", row.pushName ?? "")
            writer.member("is_from_me", row.fromMe)
            writer.member("timestamp", row.timestamp.seconds)
            writer.member("type", row.type)
            writer.member("text", row.body ?? "")
            writer.key("quoted")
            if let quoted = row.quotedID {
                writer.object { $0.member("message_id", quoted) }
            } else {
                writer.null()
            }
            writer.key("media")
            if let media = row.media { writer.raw(media) } else { writer.null() }
            writer.key("reactions")
            writer.array { writer in
                for reaction in message.reactions {
                    writer.object { writer in
                        writer.member("emoji", reaction.emoji)
                        writer.member("from", reaction.from)
                        writer.member("timestamp", reaction.at.seconds)
                    }
                }
            }
            writer.key("edited_at")
            if let at = message.editedAt { writer.integer(at.seconds) } else { writer.null() }
            writer.key("deleted_at")
            if let at = message.deletedAt { writer.integer(at.seconds) } else { writer.null() }
            if let fate { writer.fate(fate) } else { writer.member("status", row.status.word) }
            writer.member("star", message.isStarred)
            if let number = row.serverID { writer.member("server_id", number) }
        }
    }

    private static func addresses(_ sender: String, _ alternative: String?) -> (shown: String, alternative: String?) {
        guard sender.hasSuffix("@lid"), let alternative, alternative.hasSuffix("@s.whatsapp.net") else {
            return (sender, alternative)
        }
        return (alternative, sender)
    }
}

extension MessageStatus {
    /// As the API spells it.
    fileprivate var word: String {
        switch self {
        case .pending: "pending"
        case .sent: "sent"
        case .delivered: "delivered"
        case .read: "read"
        case .played: "played"
        case .failed: "failed"
        }
    }
}
