import Foundation
import TestSupport
import Testing

/// The small form of `switchboard bench webhook-faults`, whose large form is run on demand.
@Suite("Webhook faults")
struct WebhookFaultTests {
    @Test(
        "every event reaches every endpoint once or more, under one id and in order, though processes are killed and PostgreSQL restarts"
    )
    func faults() async throws {
        let process = Process()
        process.executableURL = DevProcess.executable
        process.arguments = [
            "bench", "webhook-faults", "--events", "400", "--devices", "4", "--deadline", "240",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let line = try await Task.detached { try output.fileHandleForReading.readToEnd() ?? Data() }.value
        process.waitUntilExit()
        let found = try JSON(line)
        #expect(process.terminationStatus == 0, "\(found)")
        #expect(found["kills"].int == 5 && found["events"].int == 400 && found["endpoints"].int == 5)
        #expect(found["missing"].int == 0 && found["mixedIDs"].int == 0 && found["disordered"].int == 0)
        #expect((found["refused"].int ?? 0) > 0)
    }
}
