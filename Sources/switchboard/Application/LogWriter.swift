import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Puts lines on a descriptor without keeping who writes them: a thread takes what gathered in some milliseconds with one
/// call. Urgent lines are out when ``write(_:isUrgent:)`` returns, and everything before them (16-performance-durability,
/// section 6.4).
///
/// When the reader of the descriptor does not keep up, lines are dropped and a line tells how many.
final class LogWriter: Sendable {
    /// To standard error; what is left is written when the process exits.
    static let standardError: LogWriter = {
        atexit { LogWriter.standardError.flush() }
        return LogWriter(STDERR_FILENO)
    }()

    private struct Pending {
        var bytes: [UInt8] = []
        var dropped = 0
    }

    private let descriptor: Int32
    private let limit: Int
    private let pending = Mutex(Pending())
    /// Held while bytes are taken and written: lines leave in the order they came.
    private let output = Mutex(())
    private let arrival = DispatchSemaphore(value: 0)

    /// How long lines gather, microseconds.
    private static let gathering: UInt32 = 5000

    /// - Parameter limit: Bytes that may wait.
    init(_ descriptor: Int32, limit: Int = 1 << 20) {
        self.descriptor = descriptor
        self.limit = limit
        let thread = Thread { [weak self, arrival] in
            while true {
                arrival.wait()
                usleep(Self.gathering)
                guard let self else { return }
                self.flush()
            }
        }
        thread.name = "log"
        thread.start()
    }

    deinit { arrival.signal() }

    /// Takes a line, with its newline.
    func write(_ line: [UInt8], isUrgent: Bool) {
        let isFirst = pending.withLock { pending in
            guard pending.bytes.count + line.count <= limit else {
                pending.dropped += 1
                return false
            }
            defer { pending.bytes += line }
            return pending.bytes.isEmpty
        }
        if isUrgent { flush() } else if isFirst { arrival.signal() }
    }

    /// Writes what waits.
    func flush() {
        output.withLock { _ in
            var taken = pending.withLock { pending in
                defer { pending = Pending() }
                return pending
            }
            if taken.dropped > 0 { taken.bytes += Array("\(taken.dropped) log lines were dropped\n".utf8) }
            taken.bytes.withUnsafeBytes { bytes in
                var offset = 0
                while offset < bytes.count {
                    let count = systemWrite(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                    if count < 0 && errno != EINTR { return }
                    offset += max(0, count)
                }
            }
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
