import Tenancy

/// Whether the database answers within two seconds; asked at most once a second however many ask.
actor ReadinessProbe {
    private let probe: @Sendable () async throws -> Void
    private let limit: Duration
    private var last: (at: ContinuousClock.Instant, isReachable: Bool)?
    private var running: Task<Bool, Never>?
    /// The statement has not come back, even if nobody waits for it any more.
    private var isUnderWay = false

    /// - Parameter probe: A statement that costs nothing; throws when the database cannot be reached.
    init(limit: Duration = .seconds(2), probe: @escaping @Sendable () async throws -> Void) {
        self.limit = limit
        self.probe = probe
    }

    func isReachable() async -> Bool {
        if let last, ContinuousClock.now - last.at < .seconds(1) { return last.isReachable }
        if let running { return await running.value }
        // A statement that is still out says enough, and more of them would pile up before a database that is frozen.
        if isUnderWay { return false }
        isUnderWay = true
        let task = Task { [probe, limit] in
            (try? await Race.run(within: limit) {
                let isReachable = (try? await probe()) != nil
                await self.returned()
                return isReachable
            }) ?? false
        }
        running = task
        let result = await task.value
        running = nil
        last = (.now, result)
        return result
    }

    private func returned() { isUnderWay = false }
}
