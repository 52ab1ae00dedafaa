import Cryptography
import DequeModule
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Signal
import Transport

/// One linked device: its connection, its Signal state, its messages.
///
/// The actor's executor is the event loop of its socket, so what the socket brings is handled without a hop and without a
/// lock. Rules for everything in here: records are loaded first (that suspends) and then used in one stretch that does not;
/// a change set is submitted in the stretch that made it; what depends on a commit waits in the gate, not in a task.
package actor DeviceSession: DeviceClient {
    package nonisolated let eventLoop: any EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    var configuration: DeviceSessionConfiguration
    let store: any DeviceStore
    let commits: any CommitQueue
    let connector: any SessionConnector
    let host: any SessionHost
    private let published = NIOLockedValueBox(ConnectionState())

    // Connection
    var link = Link.idle
    /// Number of the newest connection attempt; callbacks of older ones are ignored.
    var linkNumber: UInt64 = 0
    var ladder = ReconnectLadder()
    var keepAlive: KeepAlive?
    var timers: [SessionTimer: Scheduled<Void>] = [:]
    var ids: StanzaIDGenerator
    var queries: [String: PendingQuery] = [:]
    var readyWaiters: [UInt64: CheckedContinuation<Void, any Error>] = [:]
    var nextWaiter: UInt64 = 0
    /// Server time minus ours, milliseconds.
    var clockOffset: Int64 = 0
    var isActivePresence = false
    /// Sends that show the account as available meanwhile.
    var writingSends = 0
    var didRefreshVersion = false
    var offline = OfflineDrain()
    var privacySettings: [String: String]?
    var propertiesJob = RecurringJob()
    var isRunningUpkeepJobs = false
    /// Linked by this session: its first login is to come, or running.
    var isFirstLogin = false

    // Identity
    var credentials: DeviceCredentials?
    var keys: OwnKeys?
    var own: OwnAddresses?
    var registration: RegistrationFlow?
    var loginSubscribers: [UInt64: AsyncStream<LoginUpdate>.Continuation] = [:]
    var registrationWaiters: [UInt64: CheckedContinuation<Void, any Error>] = [:]

    // Commits
    var ledger: CommitLedger<OutgoingFrame>
    /// Messages that may leave and wait for the socket to take more.
    var heldFrames: [OutgoingFrame] = []
    var commitWaiters: [(ticket: CommitTicket, promise: EventLoopPromise<Void>)] = []
    /// Sets of our own making that were refused since the last upkeep.
    var ownRefusals = 0
    var unsettledInbound = 0
    var isReadingPaused = false

    // Signal and users
    var sessions: SessionSlots
    var senderKeys = SenderKeySlots()
    var lids = LIDMap()
    /// Holds the lists of the largest group there is; dropped when idle.
    var deviceLists = RecentCache<String, UserDeviceList>(capacity: 2048)
    var groups = RecentCache<String, CachedGroup>(capacity: 32)
    /// Stored metadata of groups that is older is not used.
    var groupsStaleSince: Timestamp?
    var keyMarks = RecentCache<String, Set<SenderKeyMark>>(capacity: 8)
    var tokens = RecentCache<String, PrivacyTokenRow>(capacity: 64)
    /// Seconds after which messages of a chat vanish; what the store says, as far as it was asked.
    var chatTimers = RecentCache<String, Int>(capacity: 64)
    /// How often a timer has changed, and the commit that the newest change is in.
    var timerChanges: UInt64 = 0
    var newestTimerChange = CommitTicket.none
    var preKeyUpkeep = PreKeyUpkeep()
    var digestJob = RecurringJob()
    /// The newest signed prekey is stored here and the server did not take it yet.
    var rotationJob: RecurringJob?
    var flights: [FlightKey: [CheckedContinuation<Void, any Error>]] = [:]
    /// What was forgotten, by the commit that deletes its row: until that is durable the store still shows it.
    var forgotten: [ForgottenRow: CommitTicket] = [:]

    // Messages
    var lane = InboundLane()
    var retryCounters = RetryCounters()
    var pushNames = RecentCache<String, String>(capacity: 128)
    var answeredRetries = RecentCache<RetryAnswerKey, Int>(capacity: 256)
    var retryBaseKeys = RecentCache<RetryAnswerKey, PublicKey>(capacity: 64)
    /// When a session was last built anew for somebody who could not read.
    var recreatedSessions = RecentCache<SignalAddress, Timestamp>(capacity: 256)
    var retryJobs: Set<RetryAnswerKey> = []
    var resendsUnderWay = 0
    var resendQueue: Deque<CheckedContinuation<Void, Never>> = []
    /// Retry receipts for which there is no room in ``retryJobs`` yet.
    var resendRoom: Deque<CheckedContinuation<Void, Never>> = []
    /// Marks of resends that are not acked, by message id in their order.
    var resentMarks = RecentCache<String, [SenderKeyMark]>(capacity: 64)
    var pendingSends: [String: PendingSend] = [:]
    var sendOrder: UInt64 = 0
    /// When a message without an answer last made us give up a connection.
    var missedAck: NIODeadline?
    /// When the socket was last read again after a pause: acks may have waited in it.
    var readAgainAt: NIODeadline?
    /// Time of the newest intent: the next has a later one, so that the store keeps their order.
    var newestIntent = Timestamp(microseconds: 0)
    var waitingSends = 0
    var isBuildingQueue = false
    /// Order of the newest message of a chat that went out.
    var newestWritten = RecentCache<String, UInt64>(capacity: 256)
    /// The store has more unsettled sends than were loaded.
    var hasMoreUnsettled = false
    var chatQueues: [String: [CheckedContinuation<Void, Never>]] = [:]
    var placeholderRequests = RecentCache<String, Timestamp>(capacity: 64)
    /// Messages the phone was asked for, by the id of the request.
    var requestedMessages = RecentCache<String, MessageInfo>(capacity: 64)

    var logger: Logger
    /// Last time something was sent or received: what only speeds things up is dropped after ten idle minutes.
    var lastActivity: Timestamp

    package init(
        configuration: DeviceSessionConfiguration, store: any DeviceStore, commits: any CommitQueue,
        connector: any SessionConnector, host: any SessionHost, eventLoop: any EventLoop
    ) {
        self.configuration = configuration
        self.store = store
        self.commits = commits
        self.connector = connector
        self.host = host
        self.eventLoop = eventLoop
        sessions = SessionSlots(epoch: configuration.epoch)
        ledger = CommitLedger(did: configuration.did, epoch: configuration.epoch)
        ids = StanzaIDGenerator(random: AnyRandom(configuration.random))
        lastActivity = configuration.clock.now()
        var logger = configuration.logger
        logger[metadataKey: "device"] = .string(configuration.deviceID)
        self.logger = logger
    }

    package nonisolated var state: ConnectionState { published.withLockedValue { $0 } }

    /// Changes the published state and tells the host.
    func publish(_ change: (inout ConnectionState) -> Void) {
        let (before, after) = published.withLockedValue { state in
            let before = state
            change(&state)
            return (before, state)
        }
        if before != after { host.sessionChanged(did: configuration.did, state: after) }
    }

    var tickets: CommitTickets { ledger.tickets }
    var now: Timestamp { configuration.clock.now() }
    var did: Int64 { configuration.did }
    /// Own number for the `jid` of events, empty before pairing.
    var ownNumber: String { own?.pn.user ?? "" }

    /// Uniform in 0..<1.
    func fraction() -> Double {
        let bytes = configuration.random.bytes(4)
        return Double(bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }) / 4_294_967_296
    }
}

/// Where the connection stands.
enum Link: Sendable {
    case idle
    case connecting(number: UInt64, isPairing: Bool)
    case open(any SessionConnection, LinkPhase)
    case waiting
    case stopped(SessionEnd)
    /// `stop()` was called: nothing starts again.
    case closed
}

enum LinkPhase: Sendable, Equatable {
    case registering
    case authenticating
    case settling
    case ready
    /// We asked the server to remove this device: the end of the stream is the answer.
    case unlinking
}

/// What follows the close of a socket.
enum Aftermath: Sendable, Equatable {
    case ladder(minimum: Int64)
    case immediately
    case idle
}

/// The single timers of a session.
enum SessionTimer: Hashable, Sendable {
    case keepAlive, acks, reconnect, login, qr, restart, upkeep, offline, offlineBatch, reading, repetition, queue,
        expiry
}

/// A request that waits for its answer.
struct PendingQuery {
    var continuation: CheckedContinuation<Stanza, any Error>
    var timeout: Scheduled<Void>
    /// As it was sent, to be sent once more after a reconnect; nil when it may not, or was.
    var repetition: Stanza?
}

/// Something that waits in the gate.
struct OutgoingFrame: Sendable {
    var stanza: Stanza
    /// Number of the connection that brought what it answers; nil when it answers nothing.
    var link: UInt64?
    /// Set for messages: the send is dropped from the gate when it was given up.
    var messageID: String?
    /// Says that something was answered: stays behind the messages that wait for the socket, which are the answer.
    var followsMessages = false
}

/// A row of a cache that is being deleted.
enum ForgottenRow: Hashable, Sendable {
    case devices(String)
    case group(String)
    /// Marks of any group.
    case marks
}

/// Requests that share one flight.
enum FlightKey: Hashable, Sendable {
    case devices(String)
    case bundle(String)
    case group(String)
    case info(String)
}
