import AdminAuth
import Logging
import Storage

/// Shares the requests that each node counts, so that a tenant's hourly limit holds over all nodes and over restarts.
/// Between two exchanges a node knows only its own.
package struct TenantUsageExchange: Sendable {
    private let hour: SlidingHour
    private let repository: TenantUsageRepository
    private let interval: Duration
    private let logger: Logger

    package init(
        _ hour: SlidingHour, database: StorageDatabase, interval: Duration = .seconds(10),
        logger: Logger = Logger(label: "usage")
    ) {
        self.hour = hour
        repository = TenantUsageRepository(database)
        self.interval = interval
        self.logger = logger
    }

    /// Exchanges until the task is cancelled, and once more then.
    package func run() async {
        var isCancelled = false
        while !isCancelled {
            isCancelled = (try? await Task.sleep(for: interval)) == nil
            // A task of its own: a cancelled one may not wait for the database.
            await Task { await exchange() }.value
        }
    }

    /// One exchange. What could not be written stays to be written.
    package func exchange() async {
        let unsaved = hour.takeUnsaved()
        do {
            hour.setTotals(try await repository.exchange(unsaved))
        } catch {
            hour.putBack(unsaved)
            logger.warning("request counts could not be shared", metadata: ["error": "\(error)"])
        }
    }
}
