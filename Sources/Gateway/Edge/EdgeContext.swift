import Hummingbird
import Logging
import NIOCore

/// What the server knows of a connection when a request comes in.
struct EdgeContext: InitializableFromSource {
    let remoteAddress: String
    let logger: Logger
    /// The connection; nil for requests of the process itself.
    let channel: (any Channel)?

    init(source: ApplicationRequestContextSource) {
        remoteAddress = source.channel.remoteAddress?.ipAddress ?? ""
        logger = source.logger
        channel = source.channel
    }

    init(remoteAddress: String, logger: Logger) {
        self.remoteAddress = remoteAddress
        self.logger = logger
        channel = nil
    }
}
