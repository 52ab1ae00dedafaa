import Hummingbird
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOPosix

/// Collects a request's body within a size and an idle time (10-rest-api, section 2.8).
enum BodyReader {
    /// Throws `APIError`: 413 above `limit`, 408 when the client is silent, 400 when it goes.
    ///
    /// - Parameters:
    ///   - executor: Of the loop that this is called on; nil: on the pool's threads.
    ///   - idleLimit: How long nothing may come.
    static func read(
        _ request: Request, limit: Int, on executor: LoopExecutor?, idleLimit: Duration = .seconds(30)
    ) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }) {
            if length > limit { throw APIError.bodyTooLarge }
            if length == 0 { return [] }
        } else if request.headers[.transferEncoding] == nil {
            // No length and no chunks: a body only where a test hands one over directly.
            return try await collect(request.body, limit: limit)
        }
        return try await watched(request.body, limit: limit, on: executor, idleLimit)
    }

    /// Not a `Race`: the connection goes on reading from the same stream, so that the reader has to have ended. It hears its
    /// cancellation at once. A timer of a loop spares a second task; most bodies have come with their heads.
    private static func watched(
        _ body: RequestBody, limit: Int, on executor: LoopExecutor?, _ idleLimit: Duration
    ) async throws -> [UInt8] {
        let progress = Progress()
        let reader = Task.immediate(executorPreference: executor) {
            defer { progress.end() }
            return try await collect(body, limit: limit, progress: progress)
        }
        if progress.isEnded { return try await reader.value }
        let delay = TimeAmount(idleLimit)
        let eventLoop = executor?.eventLoop ?? MultiThreadedEventLoopGroup.singleton.any()
        let watch = eventLoop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in
            progress.check()
            if progress.isStalled { reader.cancel() }
        }
        defer { watch.cancel() }
        let result = await withTaskCancellationHandler {
            await reader.result
        } onCancel: {
            reader.cancel()
        }
        // What was cut off may look like an end.
        if progress.isStalled { throw APIError.requestTimeout }
        return try result.get()
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
        } catch let error as HTTPParserError {
            throw APIError(malformed: error)
        } catch {
            throw APIError.badRequest
        }
        return bytes
    }
}
