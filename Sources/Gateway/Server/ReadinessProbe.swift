import Storage

/// Whether the database answers within two seconds; asked at most once a second however many ask.
actor ReadinessProbe {
    private let database: StorageDatabase
    private var last: (at: ContinuousClock.Instant, isReachable: Bool)?
    private var running: Task<Bool, Never>?

    init(database: StorageDatabase) { self.database = database }

    func isReachable() async -> Bool {
        if let last, ContinuousClock.now - last.at < .seconds(1) { return last.isReachable }
        if let running { return await running.value }
        let database = self.database
        let task = Task {
            (try? await Deadline.run(.seconds(2)) {
                try await database.probe()
                return true
            }) ?? false
        }
        running = task
        let result = await task.value
        running = nil
        last = (.now, result)
        return result
    }
}
