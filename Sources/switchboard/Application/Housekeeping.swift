import Logging
import Storage

/// The hourly work of a node on the database: partitions ahead of time, and rows past their retention.
struct Housekeeping {
    let database: StorageDatabase
    let retention: RetentionSettings
    let rotation: KeyRotation
    let logger: Logger

    /// Runs until the task is cancelled.
    func run() async {
        let repository = HousekeepingRepository(database, retention: retention)
        while !Task.isCancelled {
            do {
                try await repository.makePartitions()
                try await repository.removeExpired()
                try await LeaseRepository(pool: database.system).reapNodes()
                let progress = try await rotation.run()
                if progress.sealed + progress.unreadable > 0 {
                    logger.notice(
                        "values sealed under the current data key",
                        metadata: ["sealed": "\(progress.sealed)", "unreadable": "\(progress.unreadable)"])
                }
            } catch {
                logger.warning("housekeeping did not finish", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(3600))
        }
    }
}
