import Cryptography
import OrderedCollections
import Transport

/// One simulated WhatsApp: its accounts, groups, connections and clock (09, section 2).
///
/// Worlds share nothing. All of a world runs on ``SandboxActor``; its capabilities are extensions in the folders of their
/// names (Pairing, Login, Prekeys, Users, Relay, Receipts, Groups, Presence, Profile).
@SandboxActor
package final class World {
    package let id: String
    package let seed: Bytes
    package var settings: WorldSettings {
        didSet { recorder.limit = settings.stanzaLogEntries }
    }
    package let clock: SandboxClock
    package let random: WorldRandom
    package let events: EventLog
    package let recorder: StanzaRecorder
    /// Where the world is written through. Phones keep their part under `phone/`.
    package internal(set) var store: any WorldStore
    /// Keys and certificates of the Noise responder.
    package let trust: SandboxTrust
    /// Who plays device 0. Set before the first account is made or loaded.
    package var phone: (any PhoneEngine)?
    package var faults: (any FaultInjector)?
    package let counters = WorldCounters()
    package let checks = WorldChecks()
    /// Files of the media server.
    package let media: MediaStore
    /// `host:port` of the media listener, while one runs.
    package internal(set) var mediaHost: String?
    /// Violations since the start, by kind.
    package internal(set) var violationKinds: [String: Int] = [:]

    /// Accounts by phone number, in order of creation.
    package internal(set) var accounts: OrderedDictionary<String, Account> = [:]
    var accountsByLID: [String: Account] = [:]
    /// Groups by id, in order of creation.
    package internal(set) var groups: OrderedDictionary<String, Group> = [:]
    /// Registration connections and their outcome, newest last; the last 200 that ended are kept.
    package internal(set) var pairings: OrderedDictionary<Int, PairingSession> = [:]
    /// Open sockets by number.
    package internal(set) var connections: OrderedDictionary<Int, ClientConnection> = [:]

    var turn = Turn()
    var sent = SentMemory()
    var positions = PositionWatch()
    var answers = AnswerMemory()
    var watchers = DeviceListWatchers()
    var rates = RateLimiter()
    var ciphertexts = CiphertextLedger()
    /// Connections that subscribed to an account's presence, by phone number.
    var presenceWatchers: [String: Set<Int>] = [:]
    var acquaintances = Acquaintances()
    /// Ids of groups by creator and key of their creation, so that a repeated request makes no second one.
    var createdGroups: [String: String] = [:]
    /// App state by phone number and collection.
    var appStates: [String: [String: AppStateCollection]] = [:]
    var nextStanzaID: UInt64 = 1
    var nextConnectionID = 1
    var nextPairingID = 1
    var lastMessageTime: Int64 = 0
    /// Upgrades are refused with 503 until this world time (`server_restart`).
    package var refusesUpgradesUntil: Int64?

    package init(
        id: String, seed: Bytes, clock: SandboxClock, settings: WorldSettings, store: any WorldStore
    ) throws {
        self.id = id
        self.seed = seed
        self.clock = clock
        self.settings = settings
        self.store = store
        let incarnation = Self.countStart(in: store)
        random = WorldRandom(seed: seed, world: id, incarnation: incarnation)
        events = EventLog(clock: clock)
        recorder = StanzaRecorder(clock: clock, limit: settings.stanzaLogEntries)
        media = MediaStore(store: store)
        trust = try SandboxTrust(world: id, random: random, store: store)
        nextStanzaID = incarnation << 32 | 1
        store.whenDirty = { [weak self] in self?.scheduleEndOfTurn() }
        scheduleEndOfTurn()
    }

    /// A new id for a stanza of the server: a decimal counter that does not repeat after a restart.
    package func newStanzaID() -> String {
        defer { nextStanzaID += 1 }
        return String(nextStanzaID)
    }

    /// How often this world was started before, counted in its store.
    private static func countStart(in store: any WorldStore) -> UInt64 {
        let key = "world/starts"
        let before = store.all(under: key).first.flatMap { UInt64(String(decoding: $0.value, as: UTF8.self)) } ?? 0
        store.put(key, Bytes(String(before + 1).utf8))
        return before
    }
}

/// Why a call on the world was refused; `code` is the word the control API uses.
package enum WorldError: Error, Equatable {
    case invalidPhone
    case accountExists
    case noSuchAccount
    case noSuchDevice
    case noSuchGroup
    case noSuchPairing
    case notAParticipant
    /// The account has as many companions as allowed.
    case tooManyCompanions
    /// The pairing is not in a state for this step.
    case pairingState(String)
    case invalidArgument(String)

    package var code: String {
        switch self {
        case .invalidPhone: "invalid_phone"
        case .accountExists: "account_exists"
        case .noSuchAccount: "no_such_account"
        case .noSuchDevice: "no_such_device"
        case .noSuchGroup: "no_such_group"
        case .noSuchPairing: "no_such_pairing"
        case .notAParticipant: "not_a_participant"
        case .tooManyCompanions: "too_many_companions"
        case .pairingState: "wrong_state"
        case .invalidArgument: "invalid_argument"
        }
    }
}

/// Totals since the start, for `/metrics` and `GET /v1/worlds/{id}`.
@SandboxActor
package final class WorldCounters {
    package internal(set) var connectionsAccepted = 0
    package internal(set) var framesReceived = 0
    package internal(set) var framesSent = 0
    package internal(set) var bytesReceived = 0
    package internal(set) var bytesSent = 0
    package internal(set) var messagesRelayed = 0
    package internal(set) var copiesQueued = 0
    package internal(set) var violations = 0
    /// Chain positions that a device used for two ciphertexts.
    package internal(set) var reusedPositions = 0
    package internal(set) var unknownIQs = 0
    package internal(set) var queueOverflows = 0
    package internal(set) var mediaUploads = 0
    package internal(set) var mediaDownloads = 0
    package internal(set) var mediaBytesIn = 0
    package internal(set) var mediaBytesOut = 0
}
