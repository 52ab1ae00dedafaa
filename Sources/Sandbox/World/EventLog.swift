import DequeModule
import NIOCore

/// The kinds of event the control API knows (09, section 24).
package enum EventType: String, Sendable, CaseIterable {
    case connectionOpened = "connection.opened"
    case connectionHandshake = "connection.handshake"
    case connectionClosed = "connection.closed"
    case pairingStarted = "pairing.started"
    case pairingRefShown = "pairing.ref_shown"
    case pairingPasskeyRequested = "pairing.passkey_requested"
    case pairingPasskeyCode = "pairing.passkey_code"
    case pairingCompleted = "pairing.completed"
    case pairingFailed = "pairing.failed"
    case pairingExpired = "pairing.expired"
    case deviceLogin = "device.login"
    case deviceActive = "device.active"
    case deviceLogout = "device.logout"
    case deviceRemoved = "device.removed"
    case prekeysUploaded = "prekeys.uploaded"
    case prekeysFetched = "prekeys.fetched"
    case prekeysLow = "prekeys.low"
    case messageRelayed = "message.relayed"
    case phoneMessage = "phone.message"
    case phoneReceipt = "phone.receipt"
    case phoneDecryptFailed = "phone.decrypt_failed"
    case phoneRequest = "phone.request"
    case receiptRouted = "receipt.routed"
    case retryRequested = "retry.requested"
    case appStateUploaded = "appstate.uploaded"
    case appStateMutation = "appstate.mutation"
    case appStateConflict = "appstate.conflict"
    case historySent = "history.sent"
    case historyReceipt = "history.receipt"
    case mediaUploaded = "media.uploaded"
    case mediaDownloaded = "media.downloaded"
    case mediaDeleted = "media.deleted"
    case groupChanged = "group.changed"
    case newsletterPosted = "newsletter.posted"
    case presenceChanged = "presence.changed"
    case iqUnknown = "iq.unknown"
    case nack = "nack"
    case violation = "violation"
    case faultFired = "fault.fired"
}

/// Something that happened in a world.
package struct SandboxEvent: Sendable, Equatable {
    /// 1, 2, 3 … without gaps, per world and start.
    package let sequence: UInt64
    /// World time, milliseconds since 1970.
    package let time: Int64
    package let type: EventType
    /// Phone number digits.
    package let account: String?
    package let device: Int?
    /// Number of the connection.
    package let connection: Int?
    package let data: [String: JSONValue]

    /// `{seq, time, type, account?, device?, connection?, data}`.
    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "seq": .int(Int64(sequence)), "time": .int(time), "type": .string(type.rawValue), "data": .object(data),
        ]
        if let account { members["account"] = .string(account) }
        if let device { members["device"] = .int(Int64(device)) }
        if let connection { members["connection"] = .int(Int64(connection)) }
        return .object(members)
    }
}

/// The events of one world: the newest ``capacity`` are kept, waiters are told of each new one.
@SandboxActor
package final class EventLog {
    package typealias Filter = @SandboxActor (SandboxEvent) -> Bool

    private struct Waiter {
        let id: UInt64
        let matches: Filter
        let continuation: CheckedContinuation<SandboxEvent?, Never>
    }

    /// Events kept for `GET /v1/events?since=`.
    package let capacity: Int
    private let clock: SandboxClock
    private var events: Deque<SandboxEvent> = []
    private var waiters: [Waiter] = []
    private var observers: [UInt64: @SandboxActor (SandboxEvent) -> Void] = [:]
    private var nextWaiter: UInt64 = 0
    /// How many events of each kind there were since the start.
    package private(set) var counts: [EventType: Int] = [:]
    /// Sequence number of the newest event, 0 before the first.
    package private(set) var lastSequence: UInt64 = 0

    package init(clock: SandboxClock, capacity: Int = 20_000) {
        self.clock = clock
        self.capacity = capacity
    }

    package func emit(
        _ type: EventType, account: String? = nil, device: Int? = nil, connection: Int? = nil,
        _ data: [String: JSONValue] = [:]
    ) {
        lastSequence += 1
        let event = SandboxEvent(
            sequence: lastSequence, time: clock.milliseconds, type: type, account: account, device: device,
            connection: connection, data: data)
        events.append(event)
        if events.count > capacity { events.removeFirst() }
        counts[type, default: 0] += 1
        for observer in observers.sorted(by: { $0.key < $1.key }) { observer.value(event) }
        guard !waiters.isEmpty else { return }
        var rest: [Waiter] = []
        for waiter in waiters {
            if waiter.matches(event) { waiter.continuation.resume(returning: event) } else { rest.append(waiter) }
        }
        waiters = rest
    }

    /// Kept events with a sequence above `since` that satisfy `filter`, oldest first.
    package func events(since: UInt64, limit: Int = .max, where filter: Filter = { _ in true }) -> [SandboxEvent] {
        guard let first = events.first, since < lastSequence else { return [] }
        let skip = since < first.sequence ? 0 : Int(since - first.sequence) + 1
        var result: [SandboxEvent] = []
        for event in events.dropFirst(skip) where filter(event) {
            result.append(event)
            if result.count >= limit { break }
        }
        return result
    }

    /// The first event after `since` that satisfies `filter`, waiting at most `timeout` milliseconds of real time; `nil` when
    /// none came.
    package func first(since: UInt64, timeout: Int, where filter: @escaping Filter) async -> SandboxEvent? {
        if let event = events(since: since, limit: 1, where: filter).first { return event }
        guard timeout > 0 else { return nil }
        let id = nextWaiter
        nextWaiter += 1
        let expiry = SandboxActor.loop.scheduleTask(in: .milliseconds(Int64(timeout))) { [weak self] in
            SandboxActor.run { self?.giveUp(id) }
        }
        let event = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiters.append(Waiter(id: id, matches: filter, continuation: continuation))
            }
        } onCancel: {
            SandboxActor.loop.execute { [weak self] in SandboxActor.run { self?.giveUp(id) } }
        }
        expiry.cancel()
        return event
    }

    /// Calls `body` with every event from now on, inside the emitting call; returns what ``unsubscribe(_:)`` takes.
    package func subscribe(_ body: @escaping @SandboxActor (SandboxEvent) -> Void) -> UInt64 {
        nextWaiter += 1
        observers[nextWaiter] = body
        return nextWaiter
    }

    package func unsubscribe(_ id: UInt64) { observers[id] = nil }

    private func giveUp(_ id: UInt64) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        waiters.remove(at: index).continuation.resume(returning: nil)
    }
}
