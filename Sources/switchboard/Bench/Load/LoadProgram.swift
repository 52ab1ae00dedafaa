import Foundation
import NIOConcurrencyHelpers

/// A `switchboard …` that was started beside the load generator and printed its ready line.
final class LoadProgram: @unchecked Sendable {
    // Unchecked: `process` is touched by one task at a time, that of the running scenario.
    /// Members of the ready line.
    let ready: [String: String]
    /// The sandbox's members of the ready line.
    let sandbox: [String: String]
    /// Milliseconds from the start of the program to its ready line.
    let startMilliseconds: Double
    private let process: Process

    struct Failure: Error, CustomStringConvertible { let description: String }

    var processID: Int32 { process.processIdentifier }

    private static let running = NIOLockedValueBox(Set<Int32>())

    /// Ends the programs that run, and this one, at SIGINT and SIGTERM. Holds as long as what it returns.
    static func endAtSignals() -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                for child in running.withLockedValue({ $0 }) { kill(child, SIGTERM) }
                exit(128 + number)
            }
            source.resume()
            return source
        }
    }

    /// - Parameter log: File for what it writes to standard error.
    static func start(_ arguments: [String], environment: [String: String] = [:], log: String) async throws
        -> LoadProgram
    {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.standardError = try FileHandle(forWritingTo: URL(filePath: log))
        let begin = ContinuousClock.now
        try process.run()
        let child = process.processIdentifier
        running.withLockedValue { _ = $0.insert(child) }
        let line = await firstLine(of: output.fileHandleForReading)
        let took = (ContinuousClock.now - begin).milliseconds
        guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else {
            process.terminate()
            throw Failure(description: "switchboard \(arguments.first ?? "") did not start; see \(log)")
        }
        return LoadProgram(process, object, took)
    }

    private init(_ process: Process, _ object: [String: Any], _ took: Double) {
        self.process = process
        startMilliseconds = took
        ready = object.compactMapValues { $0 as? String }
        sandbox = (object["sandbox"] as? [String: Any] ?? [:]).compactMapValues { $0 as? String }
    }

    private static func firstLine(of handle: FileHandle) async -> [UInt8] {
        await withCheckedContinuation { (continuation: CheckedContinuation<[UInt8], Never>) in
            Thread {
                var line: [UInt8] = []
                while let byte = try? handle.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") { line.append(byte) }
                continuation.resume(returning: line)
            }.start()
        }
    }

    /// SIGTERM, and waits for the end; SIGKILL after a minute.
    func stop() async {
        kill(processID, SIGTERM)
        for round in 0..<7000 where process.isRunning {
            if round == 6000 { kill(processID, SIGKILL) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        Self.running.withLockedValue { _ = $0.remove(processID) }
    }
}

extension Duration {
    var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}
