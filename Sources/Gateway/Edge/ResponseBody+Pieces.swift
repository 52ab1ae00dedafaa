import Hummingbird
import NIOCore

extension ResponseBody {
    /// A body that `produce` makes piece by piece, no faster than it is read. Ends `produce` when the reader goes.
    static func pieces(
        _ produce: @escaping @Sendable (_ send: @Sendable (ByteBuffer) async throws -> Void) async throws -> Void
    ) -> ResponseBody {
        ResponseBody { writer in
            let pieces = PieceChannel()
            let producer = Task {
                do {
                    try await produce { try await pieces.send($0) }
                    pieces.finish(nil)
                } catch {
                    pieces.finish(error)
                }
            }
            defer {
                producer.cancel()
                pieces.abandon()
            }
            while let piece = try await pieces.next() { try await writer.write(piece) }
            try await writer.finish(nil)
        }
    }
}
