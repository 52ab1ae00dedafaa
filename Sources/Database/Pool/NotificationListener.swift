import Logging

/// What a listening connection has to say.
package enum ListenEvent: Sendable, Equatable {
    /// LISTEN is in force. Anything that was announced before, or while disconnected, must be read from its tables now.
    case listening
    case notification(DatabaseNotification)
    /// Notifications may be lost from here until the next `listening`.
    case disconnected(DatabaseError)
}

/// Keeps one connection listening, reconnecting with pauses from 100 ms to 5 s.
struct NotificationListener: Sendable {
    let configuration: DatabaseConfiguration
    let channels: [String]
    let logger: Logger

    func run(into continuation: AsyncStream<ListenEvent>.Continuation) async {
        var failures = 0
        while !Task.isCancelled {
            do {
                try await listenOnce(into: continuation) { failures = 0 }
                return
            } catch let error as DatabaseError {
                continuation.yield(.disconnected(error))
                logger.warning("listening connection lost", metadata: ["error": "\(error)"])
            } catch {
                return
            }
            let pause = min(5000, 100 << min(failures, 6))
            failures += 1
            do { try await Task.sleep(for: .milliseconds(pause)) } catch { return }
        }
    }

    /// Returns when the task was cancelled; throws when the connection broke.
    private func listenOnce(
        into continuation: AsyncStream<ListenEvent>.Continuation, established: () -> Void
    ) async throws {
        let connection = try await Connection.open(configuration)
        let (closed, closing) = AsyncStream<DatabaseError>.makeStream()
        await connection.setHandlers(
            onNotification: { continuation.yield(.notification($0)) },
            onClose: { error in
                closing.yield(error)
                closing.finish()
            })
        do {
            let commands = channels.map { "LISTEN \"\($0.replacing("\"", with: "\"\""))\";" }
            _ = try await connection.run(.script(commands.joined(separator: " ")))
        } catch {
            await connection.close()
            throw error
        }
        established()
        continuation.yield(.listening)
        // Ends without a value when this task is cancelled.
        for await error in closed { throw error }
        await connection.close()
    }
}
