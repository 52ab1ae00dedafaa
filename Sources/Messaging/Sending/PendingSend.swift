import NIOCore
import Transport

/// A message between its intent and its ack (04-message-pipeline, sections 11.1 to 11.4).
struct PendingSend: Sendable {
    let id: String
    /// Canonical chat, as in the rows.
    let chat: String
    /// The chat as events show it.
    let shownChat: String
    /// `to` of the stanza.
    var to: JID
    let order: UInt64
    /// After this nothing is repeated.
    let sendBy: Timestamp
    /// As encoded, for identical repetition; nil while it is being built.
    var stanza: Stanza?
    /// Commit of its rows: until that is durable the message is not accepted.
    var intent = CommitTicket.none
    /// Commits the stanza waits for.
    var ticket = CommitTicket.none
    /// When it last went to the socket.
    var writtenAt: NIODeadline?
    /// Connections that were made anew because it had no ack.
    var lapses = 0
    /// What becomes true with the ack: devices that hold our group key now.
    var marks: [SenderKeyMark] = []
    /// The message without wrappers, for a rebuild.
    var plaintext: [UInt8]
    /// Hash over the devices as we counted them.
    var phash: String?
    var wasRebuilt = false
    var idempotency: Idempotency?
    /// The caller's; nil when it gave up or never was there.
    var promise: EventLoopPromise<SendResult>?
    /// Its caller was promised that it goes out when the device can send.
    var isQueued = false
    /// Queued, or left by an earlier process, and not built yet.
    var isResumed = false
    /// How often the server could not take it just then, and when it may be built again after that.
    var refusals = 0
    var notBefore: Timestamp?
    /// Left by an earlier process, which may have written it.
    var mayHaveLeft = false
    /// Key of the request it came from, in an earlier process: its fate is stored for who asks again.
    var resumedKey: String?

    var wasWritten: Bool { writtenAt != nil }

    /// Whether it was promised and its rows are durable: then a store that is away only delays it.
    func isAccepted(at watermark: CommitTicket) -> Bool { isQueued && intent <= watermark }

    /// Goes back to be built again, because what it was encrypted with is gone.
    mutating func requeue() {
        (stanza, ticket, marks, phash) = (nil, .none, [], nil)
        isResumed = true
    }

    /// Seconds to the next attempt after the server could not take it; nil once that was tried often enough.
    var pauseAfterRefusal: Int64? { Self.pauses.indices.contains(refusals) ? Self.pauses[refusals] : nil }
    private static let pauses: [Int64] = [3, 10, 25]

    /// Goes back into the queue until `time`: the server did not take it.
    mutating func putOff(until time: Timestamp) {
        requeue()
        writtenAt = nil
        refusals += 1
        notBefore = time
    }

    /// What it failed with when its time passed.
    var lapse: SessionError {
        mayHaveLeft || wasWritten || stanza != nil ? .sendTimedOut(messageID: id) : .sendExpired(messageID: id)
    }

    /// Whether it goes to one of `names`: a chat has the name of a number until its LID is known.
    func isOfChat(named names: Set<String>) -> Bool { names.contains(chat) || names.contains(shownChat) }

    var isGroup: Bool { to.isGroup }
    var party: Party { Party(key: chat, shown: shownChat) }
}

/// Names one answer to retry receipts, for the limit per device and message.
struct RetryAnswerKey: Hashable, Sendable {
    var device: JID
    var messageID: String
}
