import Logging
import Storage
import Tenancy

/// The hourly work of a node on the database: partitions ahead of time, rows past their retention, and a look for the client
/// version that devices wait for (12-device-scoping-api, section 6.2).
struct Housekeeping {
    let database: StorageDatabase
    let retention: RetentionSettings
    let rotation: KeyRotation
    let versions: WhatsAppVersionService
    let logger: Logger

    /// Runs until the task is cancelled.
    func run() async {
        let repository = HousekeepingRepository(database, retention: retention)
        await Recurring.run(pausing: .seconds(3600)) {
            do {
                try await repository.makePartitions()
                try await repository.removeExpired()
                let leases = LeaseRepository(pool: database.system)
                try await leases.reapNodes()
                if try await leases.hasOutdated() { _ = try? await versions.refresh(force: false) }
                let progress = try await rotation.run()
                if progress.sealed + progress.unreadable > 0 {
                    logger.notice(
                        "values sealed under the current data key",
                        metadata: ["sealed": "\(progress.sealed)", "unreadable": "\(progress.unreadable)"])
                }
            } catch {
                logger.warning("housekeeping did not finish", metadata: ["error": "\(error)"])
            }
        }
    }
}
