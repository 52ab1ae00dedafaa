import Cryptography
import Messaging
import TestSupport

@testable import Signal
@testable import Storage

extension ChaosSimulation {
    /// What may happen next, by weight.
    enum Action: String, CaseIterable, Sendable {
        case send, sendGroup, burst, answer, deliver, redeliver, cancel, finish, flush, evict, staleLoad, crash
        case shutdown, takeOver, archive, rotate, removeMember, preKey, replay, loseState, bothStart, failOver
        case refuse, putOff, claimAnew, neighbourLeaves

        var weight: Int {
            switch self {
            case .send: 12
            case .sendGroup: 10
            case .answer, .finish: 4
            case .deliver: 5
            case .burst, .redeliver, .cancel, .flush, .evict, .crash: 2
            case .staleLoad, .shutdown, .takeOver, .archive, .rotate, .removeMember, .preKey, .replay, .loseState,
                .bothStart, .failOver, .refuse, .putOff, .claimAnew, .neighbourLeaves:
                1
            }
        }

        static let weighted: [Action] = allCases.flatMap { Array(repeating: $0, count: $0.weight) }
    }

    /// One action with choices of its own, so that leaving out others does not change it.
    struct Step: Sendable {
        let action: Action
        let seed: UInt64
    }

    static func steps(seed: UInt64, count: Int) -> [Step] {
        var dice = Dice(seed ^ 0xC4A0_5)
        return (0..<count).map { _ in
            Step(action: Action.weighted[dice.below(Action.weighted.count)], seed: dice.next())
        }
    }

    mutating func run(_ step: Step) throws {
        dice = Dice(step.seed)
        now = now.adding(seconds: 1)
        try perform(step.action)
        try letTimePass()
        try store.checkPreKeys()
    }

    private mutating func perform(_ action: Action) throws {
        let peer = dice.below(Self.peerCount)
        switch action {
        case .send: try sendMessage(to: .peer(peer))
        case .sendGroup: try sendMessage(to: .group(dice.below(Self.groupCount)))
        case .burst:
            let chat = dice.chance(50) ? ChaosChat.peer(peer) : .group(dice.below(Self.groupCount))
            for _ in 0..<(1 + dice.below(dice.chance(20) ? 150 : 24)) { try sendMessage(to: chat) }
        case .answer:
            try answer(from: peer)
            try receiveNext()
        case .deliver:
            if dice.chance(50) { try answer(from: peer) }
            // Receivers keep five old chains: nobody is passed over for long.
            if dice.chance(50), passedOver < 3, let newest = inbound.last {
                passedOver += 1
                try receive(newest)
            } else {
                try receiveNext()
            }
        case .redeliver:
            for item in inbound { try receive(item) }
            try rebuildSends()
            try answerRetries()
        case .cancel:
            try sendMessage(
                to: .peer(peer), cancelled: Cancellation.allCases[dice.below(Cancellation.allCases.count)])
        case .finish:
            let outcomes: [Outcome] = [
                .applied, .applied, .applied, .failed, .lost, .lostApplied, .away, .delayed, .late,
            ]
            try finishCommit(outcomes[dice.below(outcomes.count)], count: 1 + dice.below(4))
        case .flush: try flush()
        case .evict: try evictAll()
        case .staleLoad: try staleLoad(peer)
        case .crash: try crash()
        case .shutdown: try shutDown()
        case .takeOver: try takeOver()
        case .archive:
            try load(peers[peer].address)
            var draft = node.makeDraft()
            node.sessions.archive(peers[peer].address, draft: &draft)
            node.submit(draft)
        case .rotate: try rotate(dice.below(Self.groupCount))
        case .removeMember:
            let group = dice.below(Self.groupCount)
            if members[group].count == Self.peerCount {
                members[group].remove(peer)
                removals.append((group, peer, "left \(newID())"))
                try redeliverRemovals()
            } else {
                members[group] = Set(0..<Self.peerCount)
            }
        case .preKey: try answer(from: peer, anew: true)
        case .replay:
            if !seenInbound.isEmpty { try receive(seenInbound[dice.below(seenInbound.count)]) }
        case .loseState: peers[peer].loseState()
        case .bothStart:
            try answer(from: peer, anew: true)
            try load(peers[peer].address)
            try startSession(peer)
            try sendMessage(to: .peer(peer))
        case .failOver: try failOver()
        case .refuse: refuseSomething()
        case .putOff: try putOff()
        case .claimAnew: try restart(inProcess: true)
        case .neighbourLeaves: store.neighbourEpoch += 1
        }
        // Nor does anybody get far ahead of what was read.
        while inbound.count > 6 { try deliverOldest() }
    }

    private mutating func receiveNext() throws {
        passedOver = 0
        if let item = inbound.first { try receive(item) }
    }

    private mutating func deliverOldest() throws {
        guard let item = inbound.first else { return }
        try receive(item)
        try flush()
        if node.isFenced { try restart() }
    }

    /// What goes on by itself: delayed commits, late copies, the instance that was taken over.
    private mutating func letTimePass() throws {
        if delay > 0 { delay -= 1 }
        for index in late.indices { late[index].after -= 1 }
        for copy in late where copy.after <= 0 && copy.images.epoch == store.epoch {
            try store.applySignal(copy.images, fault)
        }
        late.removeAll { $0.after <= 0 }
        if dice.chance(30) { neighbourWrites() }
        if dice.chance(50) { try rebuildSends() }
        guard var other = former else { return }
        swap(&node, &other.node)
        if !node.isFenced {
            try sendMessage(to: .peer(dice.below(Self.peerCount)))
            if dice.chance(50) { try finishCommit(.applied) }
        }
        swap(&node, &other.node)
        other.left -= 1
        former = other.left > 0 ? other : nil
    }

    // MARK: Leaving memory

    /// Writes everything cleanly and drops it; nothing may be burnt (oracle O5).
    private mutating func evictAll() throws {
        try flush()
        guard !node.isFenced else { return try restart() }
        let limit = now.adding(seconds: 1)
        var draft = node.makeDraft()
        let before = (node.sessions, node.senderKeys)
        node.sessions.evict(unusedSince: limit, watermark: node.tickets.watermark, draft: &draft)
        evictSenderKeys(limit, &draft)
        try checkClean(draft)
        if fault == .cleanWriteKeepsLease {
            (node.sessions, node.senderKeys) = before
            for _ in draft.changes.sessions + draft.changes.sessions { _ = node.sessions.nextRevision() }
            draft.sessionReceipts = []
            draft.senderKeyReceipts = []
        }
        submitClean(draft)
        try flush()
        guard fault != .cleanWriteKeepsLease else { return }
        var second = node.makeDraft()
        node.sessions.evict(unusedSince: limit, watermark: node.tickets.watermark, draft: &second)
        evictSenderKeys(limit, &second)
        submitClean(second)
    }

    private mutating func submitClean(_ draft: SignalDraft) {
        store.cleanRevisions.formUnion(draft.changes.sessions.map(\.rev))
        node.submit(draft)
    }

    private mutating func evictSenderKeys(_ limit: Timestamp, _ draft: inout SignalDraft) {
        var sessions = node.sessions
        node.senderKeys.evict(unusedSince: limit, watermark: node.tickets.watermark, draft: &draft) {
            sessions.nextRevision()
        }
        node.sessions = sessions
    }

    private func checkClean(_ draft: SignalDraft) throws {
        for image in draft.changes.sessions {
            guard let record = image.record, let state = try SessionState.decode(record[...]),
                let next = node.encrypted[state.sender.ratchetKey.publicKey]
            else { continue }
            let stored = state.sender.chain.live.index
            guard stored == next else {
                throw ChaosFinding(oracle: "O5", detail: "a clean write burns \(Int(stored) - Int(next)) positions")
            }
        }
    }

    /// A read begins, the record is loaded, used, written and dropped meanwhile, and then the read returns.
    private mutating func staleLoad(_ peer: Int) throws {
        let address = peers[peer].address
        try evictAll()
        guard !node.sessions.isLoaded(address) else { return }
        let (rows, identities, departures) = (
            rows(address), identities(address.description), node.sessions.departures
        )
        for _ in 0...dice.below(4) { try sendMessage(to: .peer(peer)) }
        try evictAll()
        if departures == node.sessions.departures || fault == .adoptStaleLoad {
            _ = node.sessions.adopt(rows, identities: identities, for: [address], now: now)
        }
        try sendMessage(to: .peer(peer))
        try flush()
    }

    // MARK: Ends of a process

    /// Another session over the committed rows: in another process, or claimed anew in this one, whose queue still holds
    /// what the session before has submitted.
    mutating func restart(inProcess: Bool = false) throws {
        store.epoch += 1
        let queue = node.queue
        node = ChaosNode(number: nextNode, epoch: store.epoch)
        node.queue.number = nextNode
        if inProcess { node.queue = queue } else { store.neighbourEpoch += 1 }
        nextNode += 1
        node.marks = store.marks
        inherited = [:]
        delay = 0
        late = []
        try redeliverRemovals()
        try resumeSends()
    }

    private mutating func crash() throws {
        let isQuiet = dice.chance(50)
        if isQuiet {
            try flush()
            try checkGaps()
        } else if dice.chance(50), !node.isFenced {
            // During a batch: all of it or nothing.
            try startBatch(1 + dice.below(4))
            try attempt(.notHeard(applies: true))
        }
        former = nil
        try restart()
    }

    /// O6: a crash skips no more than what is left of a block, which an early extension has made a quarter longer.
    private func checkGaps() throws {
        for row in store.sessions.values {
            guard let record = row.record, let state = try SessionState.decode(record.record[...]),
                let next = node.encrypted[state.sender.ratchetKey.publicKey]
            else { continue }
            let gap = Int(state.sender.chain.parked.index) - Int(next)
            guard gap <= 80 else { throw ChaosFinding(oracle: "O6", detail: "a crash skips \(gap) positions") }
        }
    }

    private mutating func shutDown() throws {
        try flush()
        var draft = node.makeDraft()
        node.sessions.close(draft: &draft)
        var sessions = node.sessions
        node.senderKeys.close(draft: &draft) { sessions.nextRevision() }
        node.sessions = sessions
        try checkClean(draft)
        submitClean(draft)
        try flush()
        former = nil
        try restart()
    }

    /// The store goes back by some commits, and the process dies with it or goes on with what it has in memory.
    private mutating func failOver() throws {
        let (count, dies) = (1 + dice.below(3), dice.chance(50))
        guard try store.failOver(losing: count) else { return }
        hasFailedOver = true
        late = []
        inherited = [:]
        node.encrypted = [:]
        former?.node.encrypted = [:]
        // The server is told of others in place of those that are gone.
        let kept = store.preKeys
        offered.removeAll { kept[$0.id] == nil }
        if dies {
            former = nil
            return try restart()
        }
        guard fault != .trustFailedOver, !node.isFenced else { return }
        var draft = node.makeDraft()
        var sessions = node.sessions
        sessions.rewrite(draft: &draft)
        node.senderKeys.rewrite(draft: &draft) { sessions.nextRevision() }
        node.sessions = sessions
        node.submit(draft)
    }

    /// Another instance claims the device; this one goes on until it notices.
    private mutating func takeOver() throws {
        former = (node, 1 + dice.below(6))
        try restart()
    }

    private mutating func rotate(_ group: Int, removal: String? = nil) throws {
        let name = SenderKeyName(group: ChaosChat.group(group).name, sender: Self.ownAddress)
        try loadSenderKey(name)
        if node.isFenced { return }
        var draft = node.makeDraft()
        node.senderKeys.rotate(name, revision: node.sessions.nextRevision(), draft: &draft)
        if let removal {
            draft.changes.events.append(DeviceEvent(type: "group.left", dedupeKey: removal, data: [], at: now))
        }
        node.marks = node.marks.filter { $0.group != name.group }
        node.submit(draft)
        if fault == .tombstoneReleases, let submission = node.queue.newest { try publish(succeeded(submission)) }
    }

    /// Somebody left a group: its key is rotated, and that is stored before the server is told that we know.
    mutating func redeliverRemovals() throws {
        for removal in removals where store.events[removal.event] == nil {
            try rotate(removal.group, removal: removal.event)
        }
    }

    // MARK: The end

    /// Everything commits and is delivered; then nothing may be missing (oracles O8 and O9).
    mutating func settle() throws {
        former = nil
        try flush()
        if node.isFenced { try restart() }
        for _ in 0..<12
        where !inbound.isEmpty || !asked.isEmpty || !node.queue.line.isEmpty || !node.pending.isEmpty {
            for item in inbound { try receive(item) }
            try rebuildSends()
            try answerRetries()
            try flush()
        }
        guard inbound.isEmpty, asked.isEmpty, node.pending.isEmpty, node.ledger.waitingFrames == 0 else {
            throw ChaosFinding(
                oracle: "O8",
                detail: "\(inbound.count) to read, \(asked.count) to repeat, \(node.pending.count) to send, "
                    + "\(node.ledger.waitingFrames) frames waiting")
        }
        for (id, message) in sent.sorted(by: { $0.key < $1.key }) {
            for reader in message.readers.sorted() where !peers[reader].read.contains(id) {
                throw ChaosFinding(oracle: "O8", detail: "\(id) was sent and peer \(reader) never read it")
            }
        }
        for item in seenInbound where store.events[item.id] != 1 {
            throw ChaosFinding(oracle: "O9", detail: "\(item.id) has no event")
        }
        for peer in 0..<Self.peerCount where !hasFailedOver {
            let received = Set(seenInbound.filter { $0.peer == peer }.map(\.id)).count
            let unread = store.unread[ChaosChat.peer(peer).name] ?? 0
            guard unread == received else {
                throw ChaosFinding(oracle: "O9", detail: "\(received) messages of peer \(peer) count as \(unread)")
            }
        }
    }
}
