import DequeModule
import Transport

/// What one turn of the loop leaves to its end: phones to be told, frames to be flushed, the journal to be written.
///
/// A turn begins with the first thing that leaves something behind and ends when the loop comes round. Its end runs the
/// phones (whose answers may add to it), then commits the store, and only then lets frames out: nothing that a client is
/// told can be contradicted by a crash.
@SandboxActor
struct Turn {
    var isScheduled = false
    var phoneInbox: Deque<(stanza: Stanza, account: Account)> = []
    var unflushed: [ClientConnection] = []
    /// Calls that must come after the phones have answered, for example the first material of a new companion.
    var afterwards: [@SandboxActor () -> Void] = []
    /// Callers that wait for the end of the turn.
    var waiting: [CheckedContinuation<Void, Never>] = []
}

extension World {
    /// Stanzas given to phones in one turn; the rest waits for the next, so that phones that answer each other for ever
    /// do not stop the loop.
    private static let phoneStanzasPerTurn = 1000

    func scheduleEndOfTurn() {
        guard !turn.isScheduled else { return }
        turn.isScheduled = true
        SandboxActor.later { [weak self] in self?.endTurn() }
    }

    /// Hands `stanza` to the phone of `account` at the end of this turn.
    func tellPhone(_ account: Account, _ stanza: Stanza) {
        turn.phoneInbox.append((stanza, account))
        scheduleEndOfTurn()
    }

    /// Runs `body` at the end of this turn, after the phones.
    func afterwards(_ body: @escaping @SandboxActor () -> Void) {
        turn.afterwards.append(body)
        scheduleEndOfTurn()
    }

    func flushLater(_ connection: ClientConnection) {
        turn.unflushed.append(connection)
        scheduleEndOfTurn()
    }

    private func endTurn() {
        var told = 0
        while told < Self.phoneStanzasPerTurn, let next = turn.phoneInbox.popFirst() {
            phone?.receive(next.stanza, for: next.account)
            told += 1
        }
        let calls = turn.afterwards
        turn.afterwards = []
        for call in calls { call() }
        store.commit()
        let connections = turn.unflushed
        turn.unflushed = []
        turn.isScheduled = false
        for connection in connections { connection.flush() }
        if !turn.phoneInbox.isEmpty || !turn.afterwards.isEmpty { return scheduleEndOfTurn() }
        let waiting = turn.waiting
        turn.waiting = []
        for caller in waiting { caller.resume() }
    }

    // MARK: For the control API

    /// Returns once everything that was set off so far was done, phones included, and is in the journal.
    package func settled() async {
        guard turn.isScheduled else { return }
        await withCheckedContinuation { turn.waiting.append($0) }
    }
}
