import Hummingbird
import Logging
import NIOCore

/// What the server knows of a connection when a request comes in.
struct EdgeContext: InitializableFromSource {
    let remoteAddress: String
    let logger: Logger
    /// The connection; nil for requests of the process itself.
    let channel: (any Channel)?
    /// Runs on the connection's loop; nil for requests of the process itself.
    let executor: LoopExecutor?

    init(source: ApplicationRequestContextSource) {
        remoteAddress = source.channel.remoteAddress?.ipAddress ?? ""
        logger = source.logger
        channel = source.channel
        executor = LoopExecutor(source.channel.eventLoop)
    }

    init(remoteAddress: String, logger: Logger) {
        self.remoteAddress = remoteAddress
        self.logger = logger
        channel = nil
        executor = nil
    }
}
