import NIOCore
import NIOPosix
import TestSupport

/// Requests as bytes, for what no HTTP client would send.
enum RawHTTP {
    /// Sends bytes and returns what comes back until the connection closes. `halfClosing` ends our side after the bytes, so
    /// that a server which waits for more of a body answers instead. Throws `NeverHappened` when the server leaves the
    /// connection open for a minute and a half.
    ///
    /// - Parameter next: What to send once something was received.
    static func exchange(
        _ port: Int, _ text: String, halfClosing: Bool = false, next: (after: String, text: String)? = nil
    ) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.allowRemoteHalfClosure, value: halfClosing)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: halfClosing))
                }
            }
        let limit = channel.channel.eventLoop.scheduleTask(in: .seconds(90)) {
            channel.channel.pipeline.fireErrorCaught(
                NeverHappened(description: "the connection was not closed: \(text)"))
        }
        defer { limit.cancel() }
        return try await channel.executeThenClose { inbound, outbound in
            var received = ByteBuffer()
            var next = next
            // The server closes while bytes are still under way: what came before counts.
            do {
                try await outbound.write(ByteBuffer(string: text))
                if halfClosing { outbound.finish() }
                for try await var piece in inbound {
                    received.writeBuffer(&piece)
                    guard let (after, text) = next, String(buffer: received).contains(after) else { continue }
                    next = nil
                    try await outbound.write(ByteBuffer(string: text))
                }
            } catch is IOError {} catch is ChannelError {}
            return String(buffer: received)
        }
    }
}
