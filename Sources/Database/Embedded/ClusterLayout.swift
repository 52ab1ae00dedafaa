import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the parts of a private cluster live.
///
/// `directory/postgres` is the cluster, `directory/postgres.log` its log. The socket stands in a directory short enough
/// for the 107 bytes of `sun_path`.
struct ClusterLayout: Sendable {
    let directory: String
    let cluster: String
    let log: String
    let socketDirectory: String
    private let account: ServerAccount

    init(directory: String, account: ServerAccount) throws {
        let files = FileManager.default
        let directory = URL(fileURLWithPath: directory).standardizedFileURL.path
        if !files.fileExists(atPath: directory) {
            try files.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
        }
        self.directory = directory
        self.account = account
        log = "\(directory)/postgres.log"
        cluster = try Self.clusterPath(directory, account)
        let beside = "\(directory)/socket"
        // 14 bytes of ".s.PGSQL.5432" with its slash, and the final NUL.
        socketDirectory =
            beside.utf8.count <= 107 - 16 && account.canReach(beside)
            ? beside : "/tmp/switchboard-\(Self.digest(cluster))"
    }

    private static func clusterPath(_ directory: String, _ account: ServerAccount) throws -> String {
        let files = FileManager.default
        let inside = "\(directory)/postgres"
        let note = "\(directory)/postgres.location"
        if files.fileExists(atPath: "\(inside)/PG_VERSION") { return inside }
        if let place = try? String(contentsOfFile: note, encoding: .utf8), !place.isEmpty { return place }
        if account.canReach(inside) { return inside }
        // Letting others pass through the data directory itself is harmless; its ancestors are not ours to change.
        if account.canReach(directory) {
            var info = stat()
            if stat(directory, &info) == 0 { chmod(directory, info.st_mode | S_IXOTH) }
            if account.canReach(inside) { return inside }
        }
        let place = "/var/lib/switchboard/\(UUID().uuidString.lowercased())"
        try files.createDirectory(
            atPath: "/var/lib/switchboard", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        try place.write(toFile: note, atomically: true, encoding: .utf8)
        return place
    }

    /// Major version of the cluster that is already there.
    var existingMajorVersion: Int? {
        guard let text = try? String(contentsOfFile: "\(cluster)/PG_VERSION", encoding: .utf8) else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Runs initdb beside the final place and moves the result there, so that an interrupted initdb leaves nothing half made.
    func createClusterIfMissing(_ programs: PostgresPrograms) async throws {
        guard existingMajorVersion == nil else { return }
        let files = FileManager.default
        let unfinished = "\(cluster).new"
        try? files.removeItem(atPath: unfinished)
        try account.makeDirectory(unfinished)
        try await ChildProcess.run(
            account.wrapping([
                programs.initdb, "-D", unfinished, "-U", "switchboard", "--auth-local=trust", "--auth-host=reject",
                "--encoding=UTF8", "--locale=C", "--no-instructions",
            ]))
        if files.fileExists(atPath: cluster) { try files.removeItem(atPath: cluster) }
        try files.moveItem(atPath: unfinished, toPath: cluster)
    }

    func makeSocketDirectory() throws { try account.makeDirectory(socketDirectory) }

    func logTail() -> String {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(5).joined(separator: " | ")
    }

    /// FNV-1a of `text`, 16 hex digits: a stable short name, nothing secret.
    private static func digest(_ text: String) -> String {
        let hash = text.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}

/// What `postmaster.pid` says: line 1 process id, line 8 the state, `ready` when connections are accepted.
struct RunningPostmaster {
    let processID: pid_t
    let isReady: Bool

    init?(cluster: String) {
        guard let text = try? String(contentsOfFile: "\(cluster)/postmaster.pid", encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let number = pid_t(first.trimmingCharacters(in: .whitespaces)), number > 1 else {
            return nil
        }
        processID = number
        isReady = lines.count > 7 && lines[7].trimmingCharacters(in: .whitespaces) == "ready"
    }

    /// Stops the server that an earlier run left behind, and removes a lock file whose process is somebody else by now.
    static func stopIfRunning(cluster: String) async throws {
        guard let left = RunningPostmaster(cluster: cluster), kill(left.processID, 0) == 0 || errno == EPERM else {
            return
        }
        if belongs(left.processID, to: cluster) {
            await EmbeddedPostgres.end(left.processID) {
                // It may be our own child, which is there until it has been waited for.
                waitpid(left.processID, nil, WNOHANG) == left.processID || kill(left.processID, 0) != 0
            }
        } else {
            try? FileManager.default.removeItem(atPath: "\(cluster)/postmaster.pid")
        }
    }

    /// A postmaster's working directory is its cluster.
    private static func belongs(_ processID: pid_t, to cluster: String) -> Bool {
        #if os(Linux)
            let directory = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(processID)/cwd")
            return directory == URL(fileURLWithPath: cluster).resolvingSymlinksInPath().path
        #else
            return true
        #endif
    }
}
