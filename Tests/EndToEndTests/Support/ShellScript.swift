import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// Shell commands of the documentation, run as they are written.
enum ShellScript {
    /// The repository.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The `sh` blocks of a page, in order.
    static func blocks(of page: String) throws -> [String] {
        let text = try String(contentsOf: root.appending(path: page), encoding: .utf8)
        return text.matches(of: #/```sh\n([\s\S]*?)```/#).map { String($0.1) }
    }

    /// What stands behind the three ticks that open each block of a page.
    static func labels(of page: String) throws -> [String] {
        let text = try String(contentsOf: root.appending(path: page), encoding: .utf8)
        return text.split(separator: "\n", omittingEmptySubsequences: false).filter { $0.hasPrefix("```") }
            .enumerated().filter { $0.offset % 2 == 0 }.map { String($0.element.dropFirst(3)) }
    }

    /// Runs the `sh` blocks of a page one after the other against `dev`, in a directory of their own from which the
    /// repository's examples and the data directory of `dev` are found. Ports 9090 to 9099 are replaced by free ones.
    /// - Parameter times: How often one after the other, in the same shell.
    static func run(
        _ page: String, against dev: DevProcess, times: Int = 1
    ) async throws -> (status: Int32, output: String) {
        var script =
            "set -e\ntrap 'status=$?; kill $(jobs -p) 2>/dev/null || true; echo \"script status $status\"' EXIT\n"
            + (try Array(repeating: blocks(of: page).joined(separator: "\n"), count: times).joined(separator: "\n"))
        for port in Set(try ports(of: page)) { script = script.replacing(port, with: "\(try freePort())") }
        let programs = DevProcess.executable.deletingLastPathComponent().path
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return try await bash(
            script, data: dev.directory,
            environment: [
                "API": dev.api.base, "PHONES": dev.sandbox.base.replacing("/v1", with: ""),
                "ADMIN": dev.admin.headers["X-Admin-Secret"] ?? "", "PATH": "\(programs):\(path)",
                "WHATSAPP_DATASTORE_URI": dev.ready["database"].string ?? "",
                "WHATSAPP_WS_URL": dev.ready["sandbox"]["ws"].string ?? "",
                "WHATSAPP_NOISE_ROOT_KEY": dev.ready["sandbox"]["root_public_key"].string ?? "",
                "WHATSAPP_WEB_ORIGIN": dev.ready["sandbox"]["control"].string ?? "",
            ])
    }

    /// The ports 9090 to 9099 that the commands of a page name.
    static func ports(of page: String) throws -> [String] {
        try blocks(of: page).flatMap { $0.matches(of: #/\b909[0-9]\b/#).map { String($0.0) } }
    }

    private static func bash(
        _ script: String, data: URL, environment: [String: String]
    ) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        let workplace = FileManager.default.temporaryDirectory.appending(path: "switchboard-docs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: workplace, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: workplace) }
        for name in ["docs", "deploy", ".env.example"] {
            let original = root.appending(path: name)
            guard FileManager.default.fileExists(atPath: original.path) else { continue }
            try FileManager.default.createSymbolicLink(
                at: workplace.appending(path: name), withDestinationURL: original)
        }
        try FileManager.default.createSymbolicLink(at: workplace.appending(path: "data"), withDestinationURL: data)
        process.currentDirectoryURL = workplace
        process.arguments = ["-c", script]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let file = workplace.appending(path: "script-output")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        let handle = try FileHandle(forWritingTo: file)
        process.standardOutput = handle
        process.standardError = handle
        try runWithSignals(process)
        // It leads a process group of its own, in which also is what it leaves in the background.
        defer { kill(-process.processIdentifier, SIGKILL) }
        // The script says itself how it ended: what it left in the background would keep `isRunning` true.
        do {
            return try await eventually("the end of the script", within: .seconds(120)) {
                let output = try String(contentsOf: file, encoding: .utf8)
                guard let end = output.firstMatch(of: #/script status (\d+)/#) else { return nil }
                return (Int32(end.1) ?? -1, output)
            }
        } catch {
            return (-1, try String(contentsOf: file, encoding: .utf8))
        }
    }

    /// Starts a process to which signals get through: threads of tasks block them, and what they start inherits that.
    private static func runWithSignals(_ process: Process) throws {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
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
