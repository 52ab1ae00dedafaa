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

    /// `prepare`: gives a new world its phones, before anything is loaded into it.
    package init(
        configuration: SandboxConfiguration, logger: Logger = Logger(label: "sandbox"),
        prepare: @escaping @SandboxActor @Sendable (World) -> Void = { $0.installEngines() }
    ) {
        self.configuration = configuration
        self.logger = logger
        hall = WorldHall(configuration: configuration, logger: logger, prepare: prepare)
    }

    /// Loads the default world and listens. Throws ``ListenFailure`` and ``JournalStore/Failure``.
    package func start() async throws -> SandboxAddresses { try await hall.open() }

    /// Ends all connections, stops listening and closes the worlds' files.
    package func stop() async { await hall.close() }

    /// The default world, for tests in the same process. Only after ``start()``.
    @SandboxActor package var world: World? { hall.worlds["default"] }
}
