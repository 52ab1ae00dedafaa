import Foundation
import Testing

@testable import Database

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Private cluster", .serialized)
struct EmbeddedPostgresTests {
    private static let insert = Statement("test.insert", "INSERT INTO t VALUES ($1)")
    private static let count = Statement("test.count", "SELECT count(*) FROM t")

    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = "/tmp/sbcluster-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory)
    }

    private func count(_ server: EmbeddedPostgres) async throws -> Int {
        let connection = try await DedicatedConnection.open(
            DatabaseConfiguration(uri: server.uri, searchPath: "public"))
        let count: Int = try await connection.query(Self.count).first?[0] ?? -1
        await connection.close()
        return count
    }

    private func insert(_ server: EmbeddedPostgres, create: Bool = false) async throws {
        let connection = try await DedicatedConnection.open(
            DatabaseConfiguration(uri: server.uri, searchPath: "public"))
        if create { try await connection.script("CREATE TABLE t (id int)") }
        _ = try await connection.query(Self.insert, [1])
        await connection.close()
    }

    @Test("data survives a stop, a killed server, and a server that an earlier run left behind")
    func life() async throws {
        try await withDirectory { directory in
            let first = try await EmbeddedPostgres.start(in: directory)
            try await insert(first, create: true)
            await first.stop()
            #expect(kill(first.processID, 0) != 0)

            let second = try await EmbeddedPostgres.start(in: directory)
            #expect(second.uri == first.uri)
            try await insert(second)
            // The whole group dies without a word; its lock file stays.
            kill(second.processID, SIGKILL)
            while kill(second.processID, 0) == 0 && second.isRunning { try await Task.sleep(for: .milliseconds(5)) }
            #expect(FileManager.default.fileExists(atPath: "\(second.clusterDirectory)/postmaster.pid"))

            let third = try await EmbeddedPostgres.start(in: directory)
            #expect(try await count(third) == 2)
            // Now the server is alive and its starter forgets it.
            let fourth = try await EmbeddedPostgres.start(in: directory)
            #expect(fourth.processID != third.processID)
            #expect(try await count(fourth) == 2)
            await fourth.stop()

            // A lock file whose process is somebody else's by now.
            try "\(getpid())\n\(fourth.clusterDirectory)\n1\n".write(
                toFile: "\(fourth.clusterDirectory)/postmaster.pid", atomically: true, encoding: .utf8)
            let fifth = try await EmbeddedPostgres.start(in: directory)
            #expect(try await count(fifth) == 2)
            await fifth.stop()
        }
    }

    @Test("the socket stays short however deep the directory is")
    func deepDirectory() async throws {
        try await withDirectory { directory in
            let deep = directory + "/" + Array(repeating: "a-rather-long-name", count: 8).joined(separator: "/")
            let server = try await EmbeddedPostgres.start(in: deep)
            try await insert(server, create: true)
            #expect(try await count(server) == 1)
            await server.stop()
        }
    }

    @Test("a child inherits none of our descriptors")
    func descriptors() async throws {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let failure = await #expect(throws: ChildProcess.Failure.self) {
            try await ChildProcess.run(["sh", "-c", "test ! -e /proc/self/fd/\(ends[1]) && echo closed; exit 3"])
        }
        #expect(failure?.description.contains("closed") == true)
    }

    @Test("a program that fails tells its last words")
    func failingProgram() async throws {
        let failure = await #expect(throws: ChildProcess.Failure.self) {
            try await ChildProcess.run(["sh", "-c", "echo went wrong >&2; exit 3"])
        }
        #expect(failure?.description.contains("went wrong") == true)
    }
}
