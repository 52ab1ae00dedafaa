import Foundation

#if canImport(Glibc)
    import CSpawn
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program started in a session of its own, so that a terminal's Ctrl-C reaches only us.
///
/// Foundation's `Process` offers neither a session nor control over inherited descriptors; this is `posix_spawn` with both.
struct ChildProcess: Sendable {
    let processID: pid_t

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Starts `arguments[0]`. `input` and `output` become its standard input and both outputs (`/dev/null` when nil);
    /// no other descriptor is inherited: sockets that NIO accepts lack close-on-exec, and one that a child keeps open never
    /// ends for its peer. Throws ``Failure``.
    init(_ arguments: [String], input: Int32? = nil, output: Int32? = nil, environment: [String: String] = [:]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, 1)
            posix_spawn_file_actions_adddup2(&actions, output, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }
        #if canImport(Glibc)
            posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        #endif
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
        #if canImport(Darwin)
            flags |= Int32(POSIX_SPAWN_SETSID) | Int32(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #else
            // POSIX_SPAWN_SETSID of glibc and musl, which their headers show only to GNU sources.
            flags |= 0x80
        #endif
        posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))

        var variables = ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C"]
        variables.merge(environment) { _, given in given }
        var processID = pid_t()
        let code = Self.withPointers(arguments) { list in
            Self.withPointers(variables.map { "\($0)=\($1)" }) { environment in
                posix_spawnp(&processID, arguments.first ?? "", &actions, &attributes, list, environment)
            }
        }
        guard code == 0 else {
            throw Failure(description: "cannot start \(arguments.first ?? ""): \(String(cString: strerror(code)))")
        }
        self.processID = processID
    }

    /// Runs a program to its end. Throws ``Failure`` with its output when it fails.
    static func run(_ arguments: [String]) async throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Failure(description: "no descriptors left") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let child: ChildProcess
        do {
            child = try ChildProcess(arguments, output: ends[1])
            close(ends[1])
        } catch {
            close(ends[0])
            close(ends[1])
            throw error
        }
        let readEnd = ends[0]
        let (output, status) = try await BlockingWorkers.run {
            var output: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(readEnd, &buffer, buffer.count)
                if count > 0 { output.append(contentsOf: buffer.prefix(count)) }
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            close(readEnd)
            return (output, child.waitForExit())
        }
        guard status == 0 else {
            let text = String(decoding: output.suffix(2000), as: UTF8.self)
            throw Failure(description: "\(arguments.first ?? "") failed with status \(status): \(text)")
        }
    }

    /// True until the child has ended. Reaps it.
    func isRunning() -> Bool {
        var status: Int32 = 0
        return waitpid(processID, &status, WNOHANG) == 0
    }

    /// Blocks until the child has ended; returns its wait status.
    func waitForExit() -> Int32 {
        var status: Int32 = 0
        while waitpid(processID, &status, 0) < 0 && errno == EINTR {}
        return status
    }

    private static func withPointers<Result>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else {
                preconditionFailure("the list ends with NULL and is never empty")
            }
            return body(base)
        }
    }
}
