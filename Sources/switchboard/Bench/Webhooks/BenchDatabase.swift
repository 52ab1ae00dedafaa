import Database
import Foundation

/// The PostgreSQL of a measurement: the one that was named, or a private one with full durability in a directory that
/// goes with it.
struct BenchDatabase: Sendable {
    let uri: String
    private let server: EmbeddedPostgres?
    private let directory: String?

    static func start(_ uri: String?) async throws -> BenchDatabase {
        if let uri { return BenchDatabase(uri: uri, server: nil, directory: nil) }
        let directory = "/tmp/switchboard-bench-\(UUID().uuidString.prefix(8).lowercased())"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        let server = try await EmbeddedPostgres.start(in: directory)
        return BenchDatabase(uri: server.uri, server: server, directory: directory)
    }

    /// Stops and starts the server; nothing for a server that is not ours.
    func restarted() async throws -> BenchDatabase {
        guard let server, let directory else { return self }
        await server.stop()
        let again = try await EmbeddedPostgres.start(in: directory)
        return BenchDatabase(uri: again.uri, server: again, directory: directory)
    }

    func stop() async {
        await server?.stop()
        if let server { try? FileManager.default.removeItem(atPath: server.clusterDirectory) }
        if let directory { try? FileManager.default.removeItem(atPath: directory) }
    }
}
