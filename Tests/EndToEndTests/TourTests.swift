import Foundation
import TestSupport
import Testing

@Suite("README")
struct TourTests {
    @Test("the tour's commands run as they are written")
    func tour() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let blocks = readme.matches(of: #/```sh\n([\s\S]*?)```/#).map { String($0.1) }
        try #require(blocks.count >= 6)
        try await withDev { dev in
            let script =
                "set -e\ntrap 'status=$?; kill $(jobs -p); echo \"tour status $status\"' EXIT\n"
                + blocks.joined(separator: "\n")
            let (status, output) = try await Self.bash(
                script.replacing("9099", with: "\(try Self.freePort())"), in: root,
                environment: [
                    "API": dev.api.base, "PHONES": dev.sandbox.base.replacing("/v1", with: ""),
                    "ADMIN": dev.admin.headers["X-Admin-Secret"] ?? "",
                ])
            #expect(status == 0, "\(output)")
            #expect(output.contains("signature ok  message.received"), "\(output)")
            #expect(output.contains(#""text":"Are you a bot?""#), "\(output)")
            #expect(output.contains(#""text":"Tea at five?""#), "\(output)")
        }
    }

    private static func bash(
        _ script: String, in directory: URL, environment: [String: String]
    ) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        // The receiver's log goes to a directory of its own; the examples are found from there.
        let workplace = FileManager.default.temporaryDirectory.appending(path: "switchboard-tour-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: workplace, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: workplace) }
        try FileManager.default.createSymbolicLink(
            at: workplace.appending(path: "docs"), withDestinationURL: directory.appending(path: "docs"))
        process.currentDirectoryURL = workplace
        process.arguments = ["-c", script]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let file = workplace.appending(path: "output")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        let handle = try FileHandle(forWritingTo: file)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        defer { process.terminate() }
        // The script says itself how it ended: what it left in the background would keep `isRunning` true.
        do {
            return try await eventually("the end of the tour", within: .seconds(90)) {
                let output = try String(contentsOf: file, encoding: .utf8)
                guard let end = output.firstMatch(of: #/tour status (\d+)/#) else { return nil }
                return (Int32(end.1) ?? -1, output)
            }
        } catch {
            return (-1, try String(contentsOf: file, encoding: .utf8))
        }
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isBound else { throw NeverHappened(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

#if canImport(Glibc)
    import Glibc
#endif
