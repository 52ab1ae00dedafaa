import Cryptography
import Messaging
import NIOCore
import TestSupport

@testable import Signal
@testable import Storage

/// What `GroupCommit`, its worker and the session's side of commits do, around the product's pure parts.
extension ChaosSimulation {
    enum Outcome { case applied, failed, lost, lostApplied, away, delayed, late }

    /// Lets one attempt at the batch under way end, or at the next one of `count` sets.
    mutating func finishCommit(_ outcome: Outcome, count: Int = 3) throws {
        try tellUntold()
        guard delay == 0, !node.isFenced else { return }
        try startBatch(count)
        guard node.queue.attempts?.current != nil else { return }
        switch outcome {
        case .failed:
            if fault == .releaseOnFailedCommit {
                for case .session(node.number, let submission)? in node.queue.line.inFlight.map(\.waiter) {
                    try publish(succeeded(submission))
                }
            }
            _ = node.queue.attempts?.failed(.unavailable("failed"))
        case .lost: try attempt(.notHeard(applies: false))
        case .lostApplied: try attempt(.notHeard(applies: true))
        case .away: try tellAway()
        case .delayed: delay = 1 + dice.below(4)
        case .late:
            let sets = node.queue.sets
            guard try attempt(.heard), let copy = Self.images(sets) else { return }
            late.append((copy, 2 + dice.below(12)))
        case .applied: try attempt(.heard)
        }
    }

    /// Everything that is queued commits.
    mutating func flush() throws {
        delay = 0
        try tellUntold()
        while !node.queue.line.isEmpty, !node.isFenced { try finishCommit(.applied, count: 8) }
    }

    mutating func startBatch(_ count: Int) throws {
        guard node.queue.attempts == nil, !node.queue.line.waiting.isEmpty else { return }
        let (devices, outdated) = node.queue.line.nextBatch(maximumSets: count, maximumBytes: 1 << 20)
        if !devices.isEmpty { node.queue.attempts = CommitAttempts(devices) }
        node.queue.untold += outdated
        try tellUntold()
    }

    /// Whether the outcome of a transaction is heard of, or its connection goes before.
    enum Hearing { case heard, notHeard(applies: Bool) }

    /// One transaction, as `CommitWorker.send` has it. Returns whether it was applied.
    @discardableResult
    mutating func attempt(_ hearing: Hearing) throws -> Bool {
        guard let part = node.queue.attempts?.current else { return false }
        if node.queue.positions.isUnknown, fault != .askNoPosition {
            let reached = store.void(node.queue.positions.newest, of: node.queue.number)
            if node.queue.positions.settle(reached: reached) {
                node.queue.attempts?.succeeded(without: [])
                try settleBatch()
                return false
            }
        }
        let position = node.queue.positions.take()
        if case .notHeard(applies: false) = hearing {
            node.queue.positions.lost()
            _ = node.queue.attempts?.failed(.unavailable("connection lost"))
            return false
        }
        let result = try store.apply(faulty(part), position: position, of: node.queue.number, fault: fault)
        switch (result, hearing) {
        case (.applied, .heard): node.queue.attempts?.succeeded(without: [])
        case (_, .notHeard):
            node.queue.positions.lost()
            _ = node.queue.attempts?.failed(.unavailable("connection lost"))
        case (.fenced(let lost), _): _ = node.queue.attempts?.failed(.fenced(lost))
        case (.refused, _): _ = node.queue.attempts?.failed(.rejected("refused"))
        }
        try settleBatch()
        return result == .applied
    }

    private mutating func settleBatch() throws {
        guard let attempts = node.queue.attempts, attempts.current == nil else { return }
        node.queue.attempts = nil
        var outcome = attempts.outcome
        if fault == .refusedPasses { outcome = outcome.mapValues { $0.flatMap { $0.isRejection ? nil : $0 } } }
        if fault == .refusedTogether, let refusal = outcome.values.compactMap(\.self).first(where: \.isRejection) {
            outcome = outcome.mapValues { _ in refusal }
        }
        let sent = Set(node.queue.line.inFlight.flatMap(\.changes.chaosMarks))
        let verdicts = node.queue.line.settle(outcome)
        if fault == .laterSetsPass {
            for (entry, error) in verdicts where error?.isRejection == true {
                guard sent.isDisjoint(with: entry.changes.chaosMarks) else { continue }
                try store.applyRows(DeviceChanges(entry.changes), fault: fault)
            }
        }
        node.queue.untold += verdicts
        try tellUntold()
    }

    // MARK: Telling

    /// Telling one may commit others: what was to be told before stays first.
    private mutating func tellUntold() throws {
        while !node.queue.untold.isEmpty {
            let (entry, error) = node.queue.untold.removeFirst()
            if error?.isRejection == true { store.refused(entry.changes.chaosMarks) }
            switch entry.waiter {
            case .session(let number, let submission):
                guard number == node.number else { continue }
                if let error {
                    if node.ledger.failed(submission, error) { try commitFailed(error) }
                } else {
                    try publish(succeeded(submission))
                }
            case .barrier(let number, let ticket):
                if number == node.number, error == nil { node.ledger.passed(ticket) }
            case .neighbour(let number): try store.told(neighbour: number, error)
            case nil: break
            }
        }
    }

    mutating func succeeded(_ submission: CommitLedger<ChaosFrame>.Submission) -> [ChaosFrame] {
        var (sessions, senderKeys) = (node.sessions, node.senderKeys)
        defer { (node.sessions, node.senderKeys) = (sessions, senderKeys) }
        return node.ledger.succeeded(submission, sessions: &sessions, senderKeys: &senderKeys)
    }

    /// As `DeviceSession.commitFailed`.
    private mutating func commitFailed(_ error: CommitError) throws {
        node.forget()
        switch error {
        case .fenced, .closed: node.isFenced = true
        case .rejected: returnSends { $0.intent <= $1 }
        case .unavailable: returnSends { $0.isQueued && $0.intent <= $1 }
        }
        try redeliverRemovals()
    }

    /// The store is away for too long: waiters are told so, and the sets stay.
    private mutating func tellAway() throws {
        let late = node.queue.line.late(at: .distantFuture)
        guard late.contains(where: { if case .session(node.number, _) = $0 { true } else { false } }) else { return }
        for case .session(node.number, let submission) in late { _ = node.ledger.failed(submission, .unavailable) }
        try commitFailed(.unavailable)
    }

    /// A stanza could not be handled: the connection is given up with everything that was not stored, though nothing failed.
    mutating func putOff() throws {
        node.forget()
        returnSends { _, _ in true }
        try redeliverRemovals()
    }

    /// Sends that wait go back to be encrypted again, or fail.
    private mutating func returnSends(_ mayStay: (ChaosNode.Pending, CommitTicket) -> Bool) {
        let watermark = node.tickets.watermark
        for send in node.pending where !mayStay(send, watermark) { fail(send.id) }
        for index in node.pending.indices { node.pending[index].isRequeued = true }
    }

    /// The barrier of `DeviceSession.awaitLoadBarrier`.
    mutating func awaitQueue() throws {
        guard fault != .loadBeforeQueued else { return }
        while let barrier = node.ledger.loadBarrier, !node.isFenced {
            // The session, whose connection was given up, has written that down: a set behind those that were given up.
            var draft = node.makeDraft()
            draft.changes.events.append(
                DeviceEvent(
                    type: "connection.reconnecting", dedupeKey: "away \(node.number) \(node.tickets.next.number)",
                    data: [], at: now))
            node.submit(draft)
            let behind = ChangeSet(did: ChaosNode.did, epoch: node.epoch)
            node.queue.append(behind, .barrier(node.number, barrier))
            try flush()
        }
    }

    // MARK: Another device of the process

    /// A device that shares the batches: what happens to one must not touch the other.
    mutating func neighbourWrites() {
        store.neighbourNewest += 1
        var changes = ChangeSet(did: ChaosStore.neighbour, epoch: store.neighbourEpoch)
        changes.events.append(.chaos(.neighbour(store.neighbourNewest)))
        guard node.queue.line.refusal(of: changes) == nil else { return }
        node.queue.append(changes, .neighbour(store.neighbourNewest))
    }

    /// The store will refuse the rows of something that is queued.
    mutating func refuseSomething() {
        let line = node.queue.line
        let marks = (line.inFlight + line.waiting).flatMap(\.changes.chaosMarks)
        if !marks.isEmpty { store.poison.insert(marks[dice.below(marks.count)]) }
    }

    // MARK: Faults

    /// The batch as a coalescing would make it that does it wrong.
    private func faulty(_ part: [DeviceChanges]) -> [DeviceChanges] {
        guard let fault, part.contains(where: { $0.did == ChaosNode.did }) else { return part }
        var sets = node.queue.sets
        switch fault {
        case .dropEarlierSets:
            for index in sets.indices.dropLast() {
                sets[index].events.removeAll { ChaosMark($0) == nil }
                (sets[index].retries, sets[index].settledSends, sets[index].senderKeyMarks) = ([], [], [])
            }
        case .earlierImageWins:
            for index in sets.indices {
                for place in sets[index].sessions.indices {
                    let address = sets[index].sessions[place].address
                    let earliest = sets.lazy.flatMap(\.sessions).first { $0.address == address }
                    sets[index].sessions[place].record = earliest?.record
                }
            }
        case .deletionLost:
            for index in sets.indices { sets[index].senderKeys.removeAll { $0.record == nil } }
        case .countOnce:
            for index in sets.indices.dropLast() {
                for place in sets[index].chats.indices { sets[index].chats[place].unreadIncrement = 0 }
            }
        default: return part
        }
        return part.map { $0.did == ChaosNode.did ? DeviceChanges(sets) ?? $0 : $0 }
    }

    /// What a late copy of a batch could still put back.
    private static func images(_ sets: [ChangeSet]) -> DeviceChanges? {
        DeviceChanges(
            sets.map { set in
                var copy = ChangeSet(did: set.did, epoch: set.epoch)
                (copy.sessions, copy.senderKeys) = (set.sessions, set.senderKeys)
                return copy
            })
    }
}

extension DeviceChanges {
    fileprivate init?(_ sets: [ChangeSet]) {
        guard let first = sets.first else { return nil }
        self.init(first)
        for set in sets.dropFirst() { add(set) }
    }
}

extension ChangeSet {
    var chaosMarks: [ChaosMark] { events.compactMap(ChaosMark.init) }
}

extension CommitError {
    fileprivate var isRejection: Bool { if case .rejected = self { true } else { false } }
}
