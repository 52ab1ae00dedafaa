/// When to upload how many one-time prekeys (02-pairing-login, section 15.1). Pure.
package struct PreKeyUpkeep: Sendable, Equatable {
    static let initialCount = 812
    static let refillCount = 50
    /// Fewer than this are filled up.
    package static let lowMark = 5
    /// Seconds after an upload during which the server is asked first.
    static let guardTime: Int64 = 600

    package enum Decision: Sendable, Equatable {
        case nothing
        /// Ask the server how many it has, then decide again.
        case askCount
        case upload(count: Int)
    }

    private var lastUpload: Timestamp?
    package private(set) var isUploading = false

    package init() {}

    /// After login: both counts are known.
    package func atLogin(serverCount: Int, localCount: Int) -> Decision {
        guard !isUploading, serverCount < Self.lowMark || localCount < Self.lowMark else { return .nothing }
        return .upload(count: serverCount == 0 && localCount == 0 ? Self.initialCount : Self.refillCount)
    }

    /// The server says that `count` keys are left.
    package func notified(count: Int, now: Timestamp) -> Decision {
        guard !isUploading, count < Self.lowMark else { return .nothing }
        if let last = lastUpload, now.seconds - last.seconds < Self.guardTime { return .askCount }
        return .upload(count: Self.refillCount)
    }

    /// The answer to `askCount`.
    package func counted(_ count: Int) -> Decision {
        guard !isUploading, count < Self.refillCount else { return .nothing }
        return .upload(count: Self.refillCount)
    }

    package mutating func began() { isUploading = true }

    package mutating func finished(at now: Timestamp?) {
        isUploading = false
        if let now { lastUpload = now }
    }
}
