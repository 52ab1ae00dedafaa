import Cryptography
import DequeModule
import OrderedCollections
import Transport

/// What the server remembers of a relayed message: against duplicates, and for the addresses of its receipts
/// (09, sections 2 and 15.1; 04, section 22.1). Key: sending device and message id.
struct SentMessage: Sendable, Equatable, Codable {
    /// SHA-256 of the stanza's bytes, hex.
    var digest: String
    /// The `to` as it was sent.
    var to: JID
    /// World time, milliseconds.
    var time: Int64
    /// `t` of the message, seconds.
    var t: Int64
    var error: Int?
    var phash: String?
}

/// The messages of the last 24 hours, at most 10 000 per world.
@SandboxActor
struct SentMemory {
    static let limit = 10_000
    static let lifetime: Int64 = 86_400_000

    private var entries: [String: SentMessage] = [:]
    private var order: Deque<(key: String, time: Int64)> = []

    static func key(_ device: Device, _ id: String) -> String { "\(device.account.phone):\(device.id)/\(id)" }

    func entry(_ device: Device, _ id: String) -> SentMessage? { entries[Self.key(device, id)] }

    /// Remembers `entry` and returns the keys that fell out.
    mutating func remember(_ entry: SentMessage, under key: String) -> [String] {
        entries[key] = entry
        order.append((key, entry.time))
        var forgotten: [String] = []
        while let first = order.first, order.count > Self.limit || first.time < entry.time - Self.lifetime {
            order.removeFirst()
            guard entries[first.key]?.time == first.time else { continue }
            entries[first.key] = nil
            forgotten.append(first.key)
        }
        return forgotten
    }
}

/// Answers to the `iq set`s of the last minute, so that a request repeated after a reconnect is not done twice
/// (01, section 14.2). Key: device and SHA-256 of the bytes.
@SandboxActor
struct AnswerMemory {
    static let lifetime: Int64 = 60_000
    private var entries: [String: (time: Int64, answer: Stanza)] = [:]
    private var order: Deque<(key: String, time: Int64)> = []

    mutating func answer(_ key: String, now: Int64) -> Stanza? {
        while let first = order.first, first.time < now - Self.lifetime {
            order.removeFirst()
            if entries[first.key]?.time == first.time { entries[first.key] = nil }
        }
        return entries[key]?.answer
    }

    mutating func remember(_ answer: Stanza, under key: String, now: Int64) {
        entries[key] = (now, answer)
        order.append((key, now))
    }
}

/// Which devices know which device lists, and by which address they asked (09, section 13.3).
@SandboxActor
struct DeviceListWatchers {
    struct Watcher: Hashable, Sendable {
        let phone: String
        let device: UInt16
    }

    private var spaces: [String: OrderedDictionary<Watcher, Set<AddressSpace>>] = [:]

    /// Returns whether this is news.
    mutating func add(_ watcher: Watcher, of account: String, space: AddressSpace) -> Bool {
        spaces[account, default: [:]][watcher, default: []].insert(space).inserted
    }

    func watchers(of account: String) -> OrderedDictionary<Watcher, Set<AddressSpace>> { spaces[account] ?? [:] }

    mutating func remove(_ watcher: Watcher) {
        for account in spaces.keys { spaces[account]?[watcher] = nil }
    }
}

/// Accounts that exchanged a message, or of which one fetched the other's keys; symmetric.
@SandboxActor
struct Acquaintances {
    private var pairs: [String: OrderedSet<String>] = [:]

    /// Returns whether this is news.
    mutating func add(_ one: String, _ other: String) -> Bool {
        guard one != other else { return false }
        pairs[other, default: []].append(one)
        return pairs[one, default: []].append(other).inserted
    }

    func of(_ account: String) -> OrderedSet<String> { pairs[account] ?? [] }

    private var writings: Set<String> = []

    /// Returns whether it is the first message of `sender` to `recipient`.
    mutating func addWriting(_ sender: String, _ recipient: String) -> Bool {
        writings.insert("\(sender)/\(recipient)").inserted
    }

    func wrote(_ sender: String, _ recipient: String) -> Bool { writings.contains("\(sender)/\(recipient)") }
}

/// Counts occasions per key and time window.
@SandboxActor
struct RateLimiter {
    private var times: [String: [Int64]] = [:]

    /// Whether one more is allowed; it counts if so. `now` and `window` in milliseconds.
    mutating func allow(_ key: String, limit: Int, window: Int64, now: Int64) -> Bool {
        var recent = (times[key] ?? []).filter { $0 > now - window }
        guard recent.count < limit else { return false }
        recent.append(now)
        times[key] = recent
        return true
    }
}
