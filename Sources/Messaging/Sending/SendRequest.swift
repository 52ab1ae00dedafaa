/// A text to send. Chats and people are JID texts, `15550001111@s.whatsapp.net`, `…@lid`, `…@g.us`.
package struct TextMessage: Sendable {
    package var chat: String
    package var text: String
    package var quote: Quote?
    /// Bare JIDs mentioned in the text.
    package var mentions: [String]
    /// Chosen id, used verbatim; nil makes one (04, section 2.1).
    package var messageID: String?
    package var idempotency: Idempotency?
    /// What the recipient sees before it.
    package var simulation: SendSimulation?

    package init(
        chat: String, text: String, quote: Quote? = nil, mentions: [String] = [], messageID: String? = nil,
        idempotency: Idempotency? = nil, simulation: SendSimulation? = nil
    ) {
        self.simulation = simulation
        self.chat = chat
        self.text = text
        self.quote = quote
        self.mentions = mentions
        self.messageID = messageID
        self.idempotency = idempotency
    }
}

/// The message a reply quotes. Its content is looked up in the store; an unknown one is quoted by id alone.
package struct Quote: Sendable, Equatable {
    package var messageID: String
    /// Bare JID of its author; nil takes the stored one.
    package var sender: String?
    /// Its text, for a message that is not stored.
    package var text: String?

    package init(messageID: String, sender: String? = nil, text: String? = nil) {
        self.messageID = messageID
        self.sender = sender
        self.text = text
    }
}

/// Ties the answer of a call to its send, in the same transactions (10-rest-api, section 12.1).
package struct Idempotency: Sendable {
    package var key: String
    package var requestHash: [UInt8]
    /// Renders what is stored for replays, from the result of the send.
    package var answer: @Sendable (Result<SendResult, SessionError>) -> StoredAnswer

    package init(
        key: String, requestHash: [UInt8],
        answer: @escaping @Sendable (Result<SendResult, SessionError>) -> StoredAnswer
    ) {
        self.key = key
        self.requestHash = requestHash
        self.answer = answer
    }
}

/// What the server's ack said about a send.
package struct SendResult: Sendable, Equatable {
    package var messageID: String
    /// Canonical chat: LID when one is known.
    package var chat: String
    /// Server time.
    package var timestamp: Timestamp
    /// Number of a channel message.
    package var serverID: Int64?

    package init(messageID: String, chat: String, timestamp: Timestamp, serverID: Int64? = nil) {
        self.messageID = messageID
        self.chat = chat
        self.timestamp = timestamp
        self.serverID = serverID
    }
}
