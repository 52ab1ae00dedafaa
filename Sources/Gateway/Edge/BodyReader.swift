import Hummingbird
import HTTPTypes
import NIOCore

/// Collects a request's body within a size and an idle time (10-rest-api, section 2.8).
enum BodyReader {
    private static let idleLimit = Duration.seconds(30)

    /// Throws `APIError`: 413 above `limit`, 408 when the client is silent, 400 when it goes.
    static func read(_ request: Request, limit: Int) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }) {
            if length > limit { throw APIError.bodyTooLarge }
            if length == 0 { return [] }
        } else if request.headers[.transferEncoding] == nil {
            // No length and no chunks: a body only where a test hands one over directly.
            return try await collect(request.body, limit: limit)
        }
        // Not a `Race`: the connection goes on reading from the same stream, so that the reader has to have ended. It hears
        // its cancellation at once.
        return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            let progress = Progress()
            group.addTask { try await collect(request.body, limit: limit, progress: progress) }
            group.addTask {
                var seen = -1
                while progress.count != seen {
                    seen = progress.count
                    try await Task.sleep(for: idleLimit)
                }
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let bytes = first else { throw APIError.requestTimeout }
            return bytes
        }
    }

    private static func collect(_ body: RequestBody, limit: Int, progress: Progress? = nil) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await chunk in body {
                if bytes.count + chunk.readableBytes > limit { throw APIError.bodyTooLarge }
                bytes.append(contentsOf: chunk.readableBytesView)
                progress?.add(chunk.readableBytes)
            }
        } catch let error as APIError {
            throw error
        } catch {
            throw APIError.badRequest
        }
        return bytes
    }
}
