import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A private PostgreSQL cluster in a directory, reached over a Unix socket that only this user (and root) can open.
///
/// It is a real server with real durability: `fsync` stays on. When the process that started it dies, however it dies, a
/// small watcher asks the server to stop; if both died, the next start in the same directory stops what still runs, or
/// lets PostgreSQL recover from its log.
package struct EmbeddedPostgres: Sendable {
    package struct Options: Sendable {
        /// False only for tests: survives no crash of the machine.
        package var durable = true
        /// Removes the whole directory once the server has stopped: for tests.
        package var temporary = false
        package var maxConnections = 60
        /// `shared_preload_libraries`, such as `pg_stat_statements`.
        package var preloadedLibraries: [String] = []
        /// Directory of `initdb` and `postgres`; nil looks for them.
        package var programs: String?

        package init() {}
    }

    /// Connection URI of the database `switchboard`, as the cluster's superuser.
    package let uri: String
    /// Directory of the cluster's files.
    package let clusterDirectory: String
    private let postmaster: ChildProcess
    private let watcherPipe: Int32

    /// Starts the cluster in `directory`, creating it at the first time. Throws ``EmbeddedPostgresError``.
    ///
    /// As root, the server runs as user `postgres`; when that user cannot reach `directory`, the files live under
    /// `/var/lib/switchboard` and `directory` holds a note of the place.
    package static func start(in directory: String, options: Options = Options()) async throws -> EmbeddedPostgres {
        let account = try ServerAccount.current()
        let layout = try ClusterLayout(directory: directory, account: account)
        let programs = try PostgresPrograms.locate(major: layout.existingMajorVersion, override: options.programs)
        try await RunningPostmaster.stopIfRunning(cluster: layout.cluster)
        try await layout.createClusterIfMissing(programs)
        try layout.makeSocketDirectory()

        let log = open(layout.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw EmbeddedPostgresError.directory(layout.log, String(cString: strerror(errno))) }
        defer { close(log) }
        let command =
            [programs.postgres, "-D", layout.cluster] + settings(layout, options).flatMap { ["-c", "\($0)=\($1)"] }
        let postmaster = try ChildProcess(account.wrapping(command), output: log)
        let pipe: Int32
        do {
            pipe = try startWatcher(of: postmaster, layout: layout, temporary: options.temporary)
        } catch {
            kill(postmaster.processID, SIGINT)
            throw error
        }
        let server = EmbeddedPostgres(
            uri: uri(layout, database: "switchboard"), clusterDirectory: layout.cluster, postmaster: postmaster,
            watcherPipe: pipe)
        do {
            try await server.waitUntilReady(layout)
            try await server.createDatabase(layout)
        } catch {
            await server.stop()
            throw error
        }
        return server
    }

    /// Stops the server: connections are ended, everything is written. Returns when it has ended.
    package func stop() async {
        await Self.end(postmaster.processID) { !postmaster.isRunning() }
        close(watcherPipe)
    }

    /// Process id of the server.
    package var processID: Int32 { postmaster.processID }

    /// False once the server has ended.
    package var isRunning: Bool { postmaster.isRunning() }

    /// Fast shutdown, and after 20 s an immediate one, from which the next start recovers.
    static func end(_ processID: pid_t, hasEnded: () -> Bool) async {
        kill(processID, SIGINT)
        for round in 0..<1500 {
            if hasEnded() { return }
            if round == 1000 { kill(processID, SIGQUIT) }
            // Cancellation must not leave a server behind: without the sleep this only polls faster.
            do { try await Task.sleep(for: .milliseconds(20)) } catch { usleep(20_000) }
        }
    }

    private static func settings(_ layout: ClusterLayout, _ options: Options) -> [(String, String)] {
        var settings = [
            ("listen_addresses", ""),
            ("unix_socket_directories", layout.socketDirectory),
            ("unix_socket_permissions", "0700"),
            ("max_connections", String(options.maxConnections)),
            ("autovacuum_naptime", "15s"),
            ("log_min_messages", "warning"),
            ("log_line_prefix", "%m [%p] "),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("shared_preload_libraries", options.preloadedLibraries.joined(separator: ",")),
        ]
        settings +=
            options.durable
            ? [
                ("fsync", "on"), ("wal_compression", "on"), ("max_wal_size", "1GB"), ("checkpoint_timeout", "15min"),
                ("shared_buffers", "64MB"),
            ]
            : [("fsync", "off"), ("full_page_writes", "off"), ("shared_buffers", "64MB"), ("max_wal_size", "1GB")]
        return settings
    }

    static func uri(_ layout: ClusterLayout, database: String) -> String {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
        let host =
            layout.socketDirectory.addingPercentEncoding(withAllowedCharacters: allowed) ?? layout.socketDirectory
        return "postgresql:///\(database)?host=\(host)&user=switchboard"
    }

    /// A shell that waits for the end of our pipe, which comes when we die, and then stops the server.
    private static func startWatcher(of postmaster: ChildProcess, layout: ClusterLayout, temporary: Bool) throws
        -> Int32
    {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw EmbeddedPostgresError.startFailed("no descriptors left") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var script = "read -r line; kill -INT $0 2>/dev/null; "
        if temporary { script += "while kill -0 $0 2>/dev/null; do sleep 0.1; done; rm -rf \"$1\" \"$2\"" }
        do {
            _ = try ChildProcess(
                ["sh", "-c", script, String(postmaster.processID), layout.directory, layout.socketDirectory],
                input: ends[0])
        } catch {
            close(ends[1])
            throw error
        }
        return ends[1]
    }

    private func waitUntilReady(_ layout: ClusterLayout) async throws {
        // Recovery after a crash may take a while; the server says "ready" in the last line of its lock file.
        for _ in 0..<6000 {
            guard postmaster.isRunning() else { throw EmbeddedPostgresError.startFailed(layout.logTail()) }
            if let lock = RunningPostmaster(cluster: layout.cluster), lock.processID == postmaster.processID,
                lock.isReady
            {
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw EmbeddedPostgresError.startFailed(layout.logTail())
    }

    private func createDatabase(_ layout: ClusterLayout) async throws {
        let configuration = DatabaseConfiguration(uri: Self.uri(layout, database: "postgres"), searchPath: "public")
        let connection = try await DedicatedConnection.open(configuration)
        let exists = try await connection.query(Self.databaseExists)
        if exists.isEmpty { try await connection.script("CREATE DATABASE switchboard") }
        await connection.close()
    }

    private static let databaseExists = Statement(
        "embedded.database_exists", "SELECT 1 FROM pg_database WHERE datname = 'switchboard'")
}
