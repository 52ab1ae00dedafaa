import NIOCore
import Synchronization

/// Hands the pieces of a streamed answer from who makes them to who writes them, one at a time: the maker waits until
/// its piece was taken, so that a slow reader costs one piece of memory and no more.
final class PieceChannel: Sendable {
    private enum State {
        case idle
        case offered(ByteBuffer, CheckedContinuation<Void, any Error>)
        case awaited(CheckedContinuation<ByteBuffer?, any Error>)
        case finished((any Error)?)
    }

    private let state = Mutex(State.idle)

    /// Returns when the piece was taken. Throws `CancellationError` once nobody reads any more.
    func send(_ piece: ByteBuffer) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (taken: CheckedContinuation<Void, any Error>) in
                let reader = state.withLock { state -> CheckedContinuation<ByteBuffer?, any Error>? in
                    switch state {
                    case .idle:
                        state = .offered(piece, taken)
                        return nil
                    case .awaited(let reader):
                        state = .idle
                        taken.resume()
                        return reader
                    case .offered, .finished:
                        taken.resume(throwing: CancellationError())
                        return nil
                    }
                }
                reader?.resume(returning: piece)
            }
        } onCancel: {
            abandon()
        }
    }

    /// The next piece, or nil at the end. Throws what the maker failed with, and `CancellationError` when the reader's
    /// task is cancelled: an answer that was cut must not look complete.
    func next() async throws -> ByteBuffer? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { reader in
                state.withLock { state in
                    switch state {
                    case .idle: state = .awaited(reader)
                    case .awaited: reader.resume(throwing: CancellationError())
                    case .offered(let piece, let taken):
                        state = .idle
                        taken.resume()
                        reader.resume(returning: piece)
                    case .finished(let error?): reader.resume(throwing: error)
                    case .finished(nil): reader.resume(returning: nil)
                    }
                }
            }
        } onCancel: {
            finish(CancellationError())
        }
    }

    /// The maker is done, or failed with `error`.
    func finish(_ error: (any Error)?) {
        state.withLock { state in
            if case .awaited(let reader) = state {
                if let error { reader.resume(throwing: error) } else { reader.resume(returning: nil) }
            }
            if case .offered(_, let taken) = state { taken.resume(throwing: CancellationError()) }
            if case .finished = state { return }
            state = .finished(error)
        }
    }

    /// Nobody reads, or makes, any more.
    func abandon() { finish(nil) }
}
