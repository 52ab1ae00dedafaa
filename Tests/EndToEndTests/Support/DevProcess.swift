import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// A `switchboard dev` of its own: private PostgreSQL, sandbox and gateway in a directory of the test's.
final class DevProcess: @unchecked Sendable {  // `process` is only touched by the test that owns it
    let api: API
    let admin: API
    let sandbox: API
    let ready: JSON
    /// Its data directory.
    let directory: URL
    private let process: Process

    private init(process: Process, directory: URL, ready: JSON) throws {
        guard let api = ready["api"].string, let secret = ready["admin_secret"].string,
            let control = ready["sandbox"]["control"].string
        else { throw NeverHappened(description: "the ready line lacks members: \(ready)") }
        self.process = process
        self.directory = directory
        self.ready = ready
        self.api = API(base: api)
        admin = API(base: api, headers: ["X-Admin-Secret": secret])
        sandbox = API(base: control + "/v1")
    }

    /// The executable that was built beside this test.
    static var executable: URL {
        let bundle = URL(filePath: CommandLine.arguments[0])
        var folder = bundle.deletingLastPathComponent()
        while folder.path != "/",
            !FileManager.default.isExecutableFile(atPath: folder.appending(path: "switchboard").path)
        {
            folder = folder.deletingLastPathComponent()
        }
        return folder.appending(path: "switchboard")
    }

    /// Starts and waits for the line of JSON that says everything accepts requests.
    static func start(in directory: URL, environment: [String: String] = [:]) async throws -> DevProcess {
        let process = Process()
        process.executableURL = executable
        process.arguments = [
            "dev", "--data-dir", directory.path, "--port", "0", "--sandbox-port", "0", "--json",
        ]
        var variables = ProcessInfo.processInfo.environment
        // Nobody waits for typing that is for show, unless a test is about it.
        variables["WHATSAPP_AUTO_TYPING_ENABLED"] = "false"
        for (name, value) in environment { variables[name] = value }
        process.environment = variables
        let output = Pipe()
        process.standardOutput = output
        let log = directory.appending(path: "test-output.log")
        if !FileManager.default.fileExists(atPath: log.path) {
            _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        }
        let handle = try FileHandle(forWritingTo: log)
        try handle.seekToEnd()
        process.standardError = handle
        try process.run()
        let line = try await firstLine(of: output.fileHandleForReading, process: process)
        do {
            return try DevProcess(process: process, directory: directory, ready: JSON(line))
        } catch {
            process.terminate()
            throw error
        }
    }

    static func firstLine(of handle: FileHandle, process: Process) async throws -> [UInt8] {
        let (lines, feed) = AsyncStream.makeStream(of: [UInt8].self)
        let reader = Thread {
            var line: [UInt8] = []
            while let chunk = try? handle.read(upToCount: 1), let byte = chunk.first {
                if byte == UInt8(ascii: "\n") {
                    feed.yield(line)
                    break
                }
                line.append(byte)
            }
            feed.finish()
        }
        reader.start()
        let timeout = Task {
            try await Task.sleep(for: .seconds(90))
            process.terminate()
        }
        defer { timeout.cancel() }
        for await line in lines { return line }
        throw NeverHappened(description: "switchboard dev ended without its ready line")
    }

    /// SIGTERM, and waits for the end.
    /// - Returns: the exit status.
    @discardableResult
    func stop() async throws -> Int32 {
        kill(process.processIdentifier, SIGTERM)
        return try await waitForEnd()
    }

    func killHard() async throws {
        kill(process.processIdentifier, SIGKILL)
        _ = try await waitForEnd()
    }

    private func waitForEnd() async throws -> Int32 {
        do {
            return try await eventually("the end of switchboard dev", within: .seconds(40)) {
                process.isRunning ? nil : process.terminationStatus
            }
        } catch {
            kill(process.processIdentifier, SIGKILL)
            throw error
        }
    }
}

/// A directory for one test, gone at the end.
func withDirectory<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appending(
        path: "switchboard-e2e-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}

/// Runs `body` against a `switchboard dev` of its own and stops it, whatever happens.
func withDev(environment: [String: String] = [:], _ body: (DevProcess) async throws -> Void) async throws {
    try await withDirectory { directory in
        let dev = try await DevProcess.start(in: directory, environment: environment)
        do {
            try await body(dev)
        } catch {
            _ = try? await dev.stop()
            let log = try? String(contentsOf: directory.appending(path: "test-output.log"), encoding: .utf8)
            print("switchboard dev said:\n\(log?.suffix(6000) ?? "nothing")")
            throw error
        }
        try await dev.stop()
    }
}
