import Messaging

/// One batch on its way into the store: whose parts are tried together, how often, and what became of each
/// (16-performance-durability, section 1.8). Pure: the caller sends, pauses and tells.
struct CommitAttempts {
    /// What became of each device's part; nil is success.
    typealias Outcome = [Int64: CommitError?]

    /// Why an attempt failed. Nothing of it was applied, or a position tells that it was.
    enum Failure: Error {
        /// These devices are another's now; empty when all are still ours.
        case fenced(Set<Int64>)
        /// The rows are refused, or cannot be built.
        case rejected(String)
        /// Worth the same again, later.
        case unavailable(String)
        /// Somebody listens now to a device whose events were left out.
        case heard
    }

    /// What to do before the next attempt.
    enum Next: Equatable {
        case again
        case pause(Duration)
        /// As `again`, device by device, because somebody's rows were refused.
        case split
        /// The store refuses the rows of this device, again and again.
        case refused(did: Int64)
    }

    /// Rows are refused for good after so many attempts.
    private static let maximumRejections = 3

    private var parts: [[DeviceChanges]]
    private var attempt = 0
    private var rejections = 0
    private(set) var outcome: Outcome = [:]

    init(_ devices: [DeviceChanges]) { parts = devices.isEmpty ? [] : [devices] }

    /// What is to be sent in one transaction; nil when everything has its outcome.
    var current: [DeviceChanges]? { parts.first }

    /// The current part is durable, but for devices that are gone altogether.
    mutating func succeeded(without gone: Set<Int64>) {
        for device in current ?? [] { outcome[device.did] = .some(gone.contains(device.did) ? .fenced : nil) }
        nextPart()
    }

    mutating func failed(_ failure: Failure) -> Next {
        guard let devices = current else { return .again }
        switch failure {
        case .fenced(let lost) where !lost.isEmpty:
            for did in lost { outcome[did] = .some(.fenced) }
            parts[0].removeAll { lost.contains($0.did) }
            if parts[0].isEmpty { nextPart() }
            return .again
        case .heard: return .again
        case .rejected where devices.count > 1:
            parts.replaceSubrange(0..<1, with: devices.map { [$0] })
            (attempt, rejections) = (0, 0)
            return .split
        case .rejected(let reason):
            rejections += 1
            if rejections == Self.maximumRejections {
                outcome[devices[0].did] = .some(.rejected(reason))
                nextPart()
                return .refused(did: devices[0].did)
            }
        case .fenced, .unavailable: break
        }
        attempt += 1
        return .pause(Self.pause(attempt - 1))
    }

    /// Nothing more is tried.
    mutating func close() {
        for device in parts.joined() { outcome[device.did] = .some(.closed) }
        parts = []
    }

    private mutating func nextPart() {
        parts.removeFirst()
        (attempt, rejections) = (0, 0)
    }

    /// 10 ms, 50 ms, 250 ms, 1 s, then every 2 s.
    static func pause(_ attempt: Int) -> Duration {
        let ladder: [Duration] = [.milliseconds(10), .milliseconds(50), .milliseconds(250), .seconds(1)]
        return attempt < ladder.count ? ladder[attempt] : .seconds(2)
    }
}

/// Positions of one queue's batches, each taken in the batch's own transaction: they tell whether a batch was applied whose
/// connection was lost with the outcome of COMMIT unknown.
struct CommitPositions {
    /// Of the newest batch that was sent.
    private(set) var newest: Int64 = 0
    /// The newest batch may have been applied by a connection that is gone.
    private(set) var isUnknown = false

    mutating func take() -> Int64 {
        newest += 1
        return newest
    }

    mutating func lost() { isUnknown = true }

    /// The store was asked, after the newest position was made void unless it was taken. Returns whether that batch was
    /// applied.
    mutating func settle(reached: Int64) -> Bool {
        isUnknown = false
        defer { newest = max(newest, reached) }
        return reached == newest
    }
}
