import Cryptography
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Transport
import WhatsAppProtobuf

/// The durable send queue (12-device-scoping-api, section 6.4; 04, sections 11.4 and 23).
///
/// A queued message is an ordinary intent: message row, retry plaintext with its deadline, idempotency key. What makes it a
/// queue is that intents without a stanza are built in the order of acceptance whenever the session is ready, in this
/// process or, after a crash or a move, in the next that owns the device.
extension DeviceSession {
    /// Bytes of messages that one device may have queued.
    static let maximumQueuedBytes = 8 << 20
    private static let queueRetrySeconds: Int64 = 5

    package func queueText(_ message: TextMessage, lifetime: Int64) async throws -> QueuedSend {
        try requireQueueing()
        try requireRoom()
        lastActivity = now
        guard case .open(_, .ready) = link, message.simulation?.showsPresence == true,
            let target = try? await queueTarget(of: message.chat)
        else { return try await accept(message, lifetime: lifetime) }
        do {
            return try await simulated(message.simulation, chat: target.jid) {
                try await accept(message, lifetime: lifetime)
            }
        } catch SessionError.notConnected {
            // The connection went while somebody seemed to type.
            return try await accept(message, lifetime: lifetime)
        }
    }

    /// Stores the message and puts it on its way: at once when the session is ready, else when it is.
    private func accept(_ message: TextMessage, lifetime: Int64) async throws -> QueuedSend {
        guard let own else { throw SessionError.notPaired }
        let target = try await queueTarget(of: message.chat)
        // A group that is not known here is asked for its timer when the message is built.
        let expiration = (try? await ephemeralSeconds(of: target)) ?? 0
        let quote = try await quoted(message.quote, in: target)
        let secret = configuration.random.bytes(32)
        let content = TextPlaintext.make(
            text: message.text, quote: quote, mentions: message.mentions.compactMap(JID.init(_:)),
            ephemeralSeconds: expiration, secret: secret)
        try requireQueueing()
        try requireRoom()
        let id =
            message.messageID
            ?? MessageID.make(seconds: now.seconds, user: own.pn.user, random: configuration.random.bytes(16))
        guard pendingSends[id] == nil else { throw SessionError.messageIDInUse }
        let sendBy = now.adding(seconds: lifetime)
        let promise = eventLoop.makePromise(of: SendResult.self)
        sendOrder += 1
        let isNext = if case .open(_, .ready) = link { !isQueued(target, before: sendOrder) } else { false }
        pendingSends[id] = PendingSend(
            id: id, chat: target.chat, shownChat: target.shownChat, to: target.jid, order: sendOrder, sendBy: sendBy,
            plaintext: content.serialized(), idempotency: message.idempotency, promise: promise, isQueued: true,
            isResumed: !isNext)
        let intent = record { changes in
            fillIntent(
                &changes, content: content, target: target, id: id, text: message.text,
                quotedID: message.quote?.messageID, secret: secret, sendBy: sendBy, own: own)
            if let idempotency = message.idempotency {
                changes.idempotency = [
                    .begin(
                        key: idempotency.key, requestHash: idempotency.requestHash,
                        message: MessageName(chat: target.chat, messageID: id))
                ]
            }
        }
        pendingSends[id]?.intent = intent
        if isNext { Task { await buildAccepted(id, content, target, intent) } }
        do {
            try await committed(intent)
        } catch {
            failSend(id, .storageUnavailable)
            throw SessionError.storageUnavailable
        }
        startQueue()
        scheduleExpiry()
        let result = promise.futureResult
        return QueuedSend(messageID: id, chat: target.chat, sendBy: sendBy) {
            await Self.outcome(of: result, within: $0)
        }
    }

    /// Encrypts what nothing stands before; what stops that for now puts it into the queue.
    private func buildAccepted(
        _ id: String, _ content: ProtoMessage, _ target: SendTarget, _ intent: CommitTicket
    ) async {
        do {
            try await build(id: id, content: content, target: target, intent: intent)
        } catch let error as SessionError where error.isPassing {
            guard pendingSends[id] != nil else { return }
            pendingSends[id]?.requeue()
            retryQueue()
        } catch { failSend(id, error as? SessionError ?? .recipientUnreachable) }
    }

    private func requireRoom() throws(SessionError) {
        guard pendingSends.count < configuration.maximumQueuedSends,
            pendingSends.values.reduce(0, { $0 + $1.plaintext.count }) < Self.maximumQueuedBytes
        else { throw .queueFull }
    }

    /// When an intent was made: no two have the same time, and later ones later times.
    func nextIntentTime() -> Timestamp {
        newestIntent = max(now, Timestamp(microseconds: newestIntent.microseconds + 1))
        return newestIntent
    }

    /// Fails what is not sent in time when its time passes, connected or not.
    func scheduleExpiry() {
        guard timers[.expiry] == nil, let next = pendingSends.values.map(\.sendBy).min() else { return }
        let wait = (next.microseconds - now.microseconds) / 1000 + 1
        schedule(.expiry, milliseconds: max(wait, 0)) { session in
            session.expireSends()
            session.scheduleExpiry()
        }
    }

    /// Builds what is queued, if the session is ready and nobody does so already.
    func startQueue() {
        guard case .open(_, .ready) = link, !isBuildingQueue else { return }
        Task { await buildResumedSends() }
    }

    /// Builds what has no stanza yet, oldest first; called when ready. A chat of which the server tells us nothing now is
    /// left out of this round, and tried again in a moment with what else could not be built.
    func buildResumedSends() async {
        guard !isBuildingQueue else { return }
        isBuildingQueue = true
        defer { isBuildingQueue = false }
        expireSends()
        var skipped: Set<String> = []
        while case .open(_, .ready) = link {
            guard let send = oldestQueued(outside: skipped.union(putOffChats())) else {
                guard mayLoadMore else { return }
                do {
                    // Else what is settled would be loaded again.
                    while tickets.hasPending { try await committed(tickets.newest) }
                    try await resumeUnsettledSends()
                } catch { return retryQueue() }
                continue
            }
            do {
                let content = try ProtoMessage(.message, parsing: send.plaintext)
                let target = try await queuedTarget(of: send)
                try await build(id: send.id, content: content, target: target, intent: tickets.newest)
            } catch let error as SessionError where error.isPassing {
                guard pendingSends[send.id] != nil else { continue }
                retryQueue()
                guard error.isOfOneRecipient else { return }
                skipped.formUnion([send.chat, send.shownChat])
            } catch { failSend(send.id, error as? SessionError ?? .recipientUnreachable) }
        }
    }

    /// Chats whose oldest message was put off, and wait with it; the timer comes back for the first of them.
    private func putOffChats() -> Set<String> {
        let waiting = pendingSends.values.filter { $0.isResumed && $0.notBefore ?? now > now }
        guard let next = waiting.compactMap(\.notBefore).min() else { return [] }
        schedule(.queue, milliseconds: (next.microseconds - now.microseconds) / 1000 + 1) { $0.startQueue() }
        return Set(waiting.flatMap { [$0.chat, $0.shownChat] })
    }

    private var mayLoadMore: Bool { hasMoreUnsettled && pendingSends.count <= configuration.maximumQueuedSends / 2 }

    /// A send is settled: the store may have more for the queue.
    func loadMoreSends() {
        if mayLoadMore { startQueue() }
    }

    private func retryQueue() {
        schedule(.queue, seconds: Self.queueRetrySeconds) { $0.startQueue() }
    }

    /// Whether an earlier message of the chat is still to be built: a later one must not overtake it.
    func isQueued(_ target: SendTarget, before order: UInt64) -> Bool {
        let names: Set<String> = [target.chat, target.shownChat]
        return pendingSends.values.contains { $0.isResumed && $0.order < order && $0.isOfChat(named: names) }
    }

    private func oldestQueued(outside skipped: Set<String>) -> PendingSend? {
        pendingSends.values.filter { $0.isResumed && !$0.isOfChat(named: skipped) }.min { $0.order < $1.order }
    }

    /// Throws unless the device is linked and will connect by itself.
    private func requireQueueing() throws(SessionError) {
        if commits.refusesSends { throw .storageUnavailable }
        switch link {
        case .stopped(let end): throw .ended(end)
        case .closed: throw .stopping
        case .open(_, .registering): throw .notLoggedIn
        case .idle, .connecting, .waiting, .open:
            if credentials?.isPaired != true { throw .notPaired }
        }
    }

    /// As `target(of:)`, without asking the server: a number whose LID is not known keeps its number until it is built.
    private func queueTarget(of text: String) async throws -> SendTarget {
        if case .open(_, .ready) = link {
            do { return try await target(of: text) } catch let error as SessionError where error.isPassing {}
        }
        guard let jid = JID.input(text), jid.device == 0, !jid.user.isEmpty else {
            throw SessionError.invalidRecipient(text)
        }
        switch jid.server {
        case .group, .lid, .bot: return try await target(of: text)
        case .user, .legacyUser:
            let pn = JID.user(jid.user)
            if pn.isBot { return SendTarget(jid: pn) }
            return SendTarget(jid: try await lid(of: pn) ?? pn, pn: pn)
        default: throw SessionError.invalidRecipient(text)
        }
    }

    /// Where a queued message goes now. Its rows stay under the chat they were made with.
    private func queuedTarget(of send: PendingSend) async throws -> SendTarget {
        if send.to.isLID { return SendTarget(jid: send.to, pn: try await pn(of: send.to)) }
        if send.to.server == .user, !send.to.isBot {
            let target = try await target(of: send.to.description)
            pendingSends[send.id]?.to = target.jid
            return target
        }
        return SendTarget(jid: send.to)
    }

    private nonisolated static func outcome(
        of result: EventLoopFuture<SendResult>, within limit: Duration
    ) async -> Result<SendResult, SessionError>? {
        let loop = result.eventLoop
        let answer = loop.makePromise(of: Result<SendResult, SessionError>?.self)
        let isOpen = NIOLockedValueBox(true)
        @Sendable func finish(_ value: Result<SendResult, SessionError>?) {
            if isOpen.withLockedValue({ isOpen in
                defer { isOpen = false }; return isOpen
            }) {
                answer.succeed(value)
            }
        }
        let parts = limit.components
        let timer = loop.scheduleTask(
            in: .milliseconds(parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000)
        ) {
            finish(nil)
        }
        result.whenComplete { outcome in
            timer.cancel()
            switch outcome {
            case .success(let sent): finish(.success(sent))
            case .failure(let error):
                // The session went; the message is in the store and the next login sends it.
                let reason = error as? SessionError ?? .stopping
                finish(reason.settlesSend ? .failure(reason) : nil)
            }
        }
        return (try? await answer.futureResult.get()) ?? nil
    }
}
