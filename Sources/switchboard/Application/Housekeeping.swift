import Logging
import Storage

/// The hourly work of a node on the database: partitions ahead of time, and rows past their retention.
struct Housekeeping {
    let database: StorageDatabase
    let retention: RetentionSettings
    let logger: Logger

    /// Runs until the task is cancelled.
    func run() async {
        let repository = HousekeepingRepository(database, retention: retention)
        while !Task.isCancelled {
            do {
                try await repository.makePartitions()
                try await repository.removeExpired()
            } catch {
                logger.warning("housekeeping did not finish", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(3600))
        }
    }
}
