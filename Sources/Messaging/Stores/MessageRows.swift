// Rows of chats and messages (14-storage, section 3.4). Chats and senders are bare JID texts: LID where one is known.

/// Where a message stands. Values are the `status` column; a store never lets it go back, except to `failed`.
package enum MessageStatus: Int16, Sendable, Comparable {
    case pending = 0
    case sent = 1
    case delivered = 2
    case read = 3
    case played = 4
    case failed = 9

    package static func < (left: MessageStatus, right: MessageStatus) -> Bool { left.rawValue < right.rawValue }
}

package enum MessageOrigin: Int16, Sendable {
    case live = 0
    case history = 1
    case api = 2
}

/// A message as stored. Unique per (chat, id, from me, time); inserting one that exists changes nothing, except that a
/// decrypted message replaces the placeholder of one that could not be read (`type == "undecryptable"`).
package struct MessageRow: Sendable, Equatable {
    package var chat: String
    package var messageID: String
    package var fromMe: Bool
    /// Server time, whole seconds; for an own message that is not acked yet the local time.
    package var timestamp: Timestamp
    package var sender: String
    package var senderAlternative: String?
    package var pushName: String?
    package var serverID: Int64?
    /// `text`, `image`, …, `undecryptable`.
    package var type: String
    package var body: String?
    /// Serialized waE2E.Message after unwrapping; nil in meta mode and for placeholders.
    package var content: [UInt8]?
    /// JSON object describing the media, or nil.
    package var media: [UInt8]?
    package var quotedID: String?
    package var status: MessageStatus
    package var origin: MessageOrigin

    package init(
        chat: String, messageID: String, fromMe: Bool, timestamp: Timestamp, sender: String,
        senderAlternative: String? = nil, pushName: String? = nil, serverID: Int64? = nil, type: String,
        body: String? = nil, content: [UInt8]? = nil, media: [UInt8]? = nil, quotedID: String? = nil,
        status: MessageStatus, origin: MessageOrigin
    ) {
        self.chat = chat
        self.messageID = messageID
        self.fromMe = fromMe
        self.timestamp = timestamp
        self.sender = sender
        self.senderAlternative = senderAlternative
        self.pushName = pushName
        self.serverID = serverID
        self.type = type
        self.body = body
        self.content = content
        self.media = media
        self.quotedID = quotedID
        self.status = status
        self.origin = origin
    }
}

/// A change of a stored message; only the fields that are set change. Unknown messages are ignored.
package struct MessageUpdate: Sendable, Equatable {
    package var chat: String
    package var messageID: String
    package var fromMe: Bool
    /// Addresses of one person, PN and LID: only a message that the store has from that person changes.
    package var author: [String]?
    /// Raised to this value, never lowered; `failed` applies only to `pending`.
    package var status: MessageStatus?
    /// Server time of an own message, from the ack.
    package var serverTimestamp: Timestamp?
    package var serverID: Int64?
    package var deletedAt: Timestamp?
    /// New text of an edited message.
    package var edit: MessageEdit?

    package init(
        chat: String, messageID: String, fromMe: Bool, author: [String]? = nil, status: MessageStatus? = nil,
        serverTimestamp: Timestamp? = nil, serverID: Int64? = nil, deletedAt: Timestamp? = nil, edit: MessageEdit? = nil
    ) {
        self.chat = chat
        self.messageID = messageID
        self.fromMe = fromMe
        self.author = author
        self.status = status
        self.serverTimestamp = serverTimestamp
        self.serverID = serverID
        self.deletedAt = deletedAt
        self.edit = edit
    }
}

package struct MessageEdit: Sendable, Equatable {
    package var body: String?
    package var content: [UInt8]?
    package var at: Timestamp

    package init(body: String?, content: [UInt8]?, at: Timestamp) {
        self.body = body
        self.content = content
        self.at = at
    }
}

/// A receipt of one user for one own message. The first time of each kind is kept.
package struct ReceiptRow: Sendable, Equatable {
    package enum Kind: Sendable { case delivered, read, played }

    package var chat: String
    package var messageID: String
    /// Bare JID of who received, read or played.
    package var recipient: String
    package var kind: Kind
    package var at: Timestamp

    package init(chat: String, messageID: String, recipient: String, kind: Kind, at: Timestamp) {
        self.chat = chat
        self.messageID = messageID
        self.recipient = recipient
        self.kind = kind
        self.at = at
    }
}

/// An own send kept to answer retry receipts (7 days), and the intent of a send until it is settled
/// (`sendBy != nil`): 14-storage, section 6, "Outgoing message".
package struct RetryRow: Sendable, Equatable {
    package var chat: String
    package var messageID: String
    /// Format of `plaintext`; `waE2E.Message` for now.
    package var format: String
    /// Serialized message before padding, without device-sent and sender-key wrappers.
    package var plaintext: [UInt8]
    package var sendBy: Timestamp?
    package var insertedAt: Timestamp
    /// Of an unsettled send that was read back: the key of the request it came from.
    package var idempotencyKey: String?

    package init(
        chat: String, messageID: String, format: String = "waE2E.Message", plaintext: [UInt8], sendBy: Timestamp?,
        insertedAt: Timestamp, idempotencyKey: String? = nil
    ) {
        self.chat = chat
        self.messageID = messageID
        self.format = format
        self.plaintext = plaintext
        self.sendBy = sendBy
        self.insertedAt = insertedAt
        self.idempotencyKey = idempotencyKey
    }
}

/// A send that was given up, and why.
package struct FailedSend: Sendable, Equatable {
    package var name: MessageName
    package var fate: SendFate

    package init(name: MessageName, fate: SendFate) {
        self.name = name
        self.fate = fate
    }
}

/// Names an own message: (chat, id).
package struct MessageName: Sendable, Hashable {
    package var chat: String
    package var messageID: String

    package init(chat: String, messageID: String) {
        self.chat = chat
        self.messageID = messageID
    }
}

/// Secret of a message for votes, edits and reactions to it: 32 bytes, the first value wins (04, sections 3.3 and 19).
package struct MessageSecretRow: Sendable, Equatable {
    package var chat: String
    package var sender: String
    package var messageID: String
    package var secret: [UInt8]

    package init(chat: String, sender: String, messageID: String, secret: [UInt8]) {
        self.chat = chat
        self.sender = sender
        self.messageID = messageID
        self.secret = secret
    }
}

/// What one message changes on its chat; a missing chat row is made.
package struct ChatUpdate: Sendable, Equatable {
    /// A disappearing timer as rows can hold it, in seconds: peers may claim any number.
    package static func timer(_ seconds: Int) -> Int { min(max(seconds, 0), Int(Int32.max)) }

    package enum Kind: String, Sendable { case user, group, newsletter, status, broadcast, bot }

    package var chat: String
    package var kind: Kind
    package var name: String?
    /// The newest by time stays.
    package var lastMessage: (id: String, at: Timestamp)?
    /// Added to the unread counter.
    package var unreadIncrement: Int
    /// Sets the unread counter to 0, before `unreadIncrement`.
    package var markRead: Bool
    /// Disappearing timer in seconds and when it was set.
    package var ephemeral: (seconds: Int, setAt: Timestamp)?

    package init(
        chat: String, kind: Kind, name: String? = nil, lastMessage: (id: String, at: Timestamp)? = nil,
        unreadIncrement: Int = 0, markRead: Bool = false, ephemeral: (seconds: Int, setAt: Timestamp)? = nil
    ) {
        self.chat = chat
        self.kind = kind
        self.name = name
        self.lastMessage = lastMessage
        self.unreadIncrement = unreadIncrement
        self.markRead = markRead
        self.ephemeral = ephemeral.map { (Self.timer($0.seconds), $0.setAt) }
    }

    package static func == (left: ChatUpdate, right: ChatUpdate) -> Bool {
        left.chat == right.chat && left.kind == right.kind && left.name == right.name
            && left.lastMessage?.id == right.lastMessage?.id && left.lastMessage?.at == right.lastMessage?.at
            && left.unreadIncrement == right.unreadIncrement && left.markRead == right.markRead
            && left.ephemeral?.seconds == right.ephemeral?.seconds && left.ephemeral?.setAt == right.ephemeral?.setAt
    }
}

/// What is learnt about a person; nil fields stay as they are.
package struct ContactUpdate: Sendable, Equatable {
    package var jid: String
    package var pushName: String?
    package var businessName: String?

    package init(jid: String, pushName: String? = nil, businessName: String? = nil) {
        self.jid = jid
        self.pushName = pushName
        self.businessName = businessName
    }
}

/// The idempotency row of an API send: made with the intent, finished with the result. The answer is opaque here.
package enum IdempotencyChange: Sendable, Equatable {
    case begin(key: String, requestHash: [UInt8], message: MessageName? = nil)
    case finish(key: String, answer: StoredAnswer)
    /// What became of a send whose request is gone: the answer is rendered when it is asked for.
    case fate(key: String, SendFate)
    /// Nothing left and nothing will: the key is free again.
    case abandon(key: String)
}

/// A rendered answer to be replayed when a request comes again.
package struct StoredAnswer: Sendable, Equatable {
    package var code: Int
    package var body: [UInt8]

    package init(code: Int, body: [UInt8]) {
        self.code = code
        self.body = body
    }
}
