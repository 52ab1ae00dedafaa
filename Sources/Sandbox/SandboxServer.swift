import Cryptography
import Foundation
import Logging
import NIOCore
import OrderedCollections

/// A sandbox: WhatsApp's servers and phones in this process (09).
///
/// Start it once; it ends with ``stop()``. Everything inside runs on ``SandboxActor``.
package final class SandboxServer: Sendable {
    package let configuration: SandboxConfiguration
    private let logger: Logger
    private let hall: WorldHall

    package init(configuration: SandboxConfiguration, logger: Logger = Logger(label: "sandbox")) {
        self.configuration = configuration
        self.logger = logger
        hall = WorldHall(configuration: configuration, logger: logger)
    }

    /// Loads the default world and listens. Throws what binding a port throws, and ``JournalStore/Failure``.
    package func start() async throws -> SandboxAddresses { try await hall.open() }

    /// Ends all connections, stops listening and closes the worlds' files.
    package func stop() async { await hall.close() }

    /// The default world, for tests in the same process. Only after ``start()``.
    @SandboxActor package var world: World? { hall.worlds["default"] }
}
