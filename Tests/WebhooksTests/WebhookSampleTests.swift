import Foundation
import Testing

@testable import Webhooks

/// The samples of docs/guides/webhooks.md. A runtime that is missing fails, unless `SWITCHBOARD_ALLOW_MISSING` is set.
@Suite("Webhook verification samples")
struct WebhookSampleTests {
    private static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/examples")

    static let samples: [[String]] = [
        ["python3", "verify.py"], ["node", "verify.mjs"], ["go", "verify.go"], ["bash", "verify.sh"],
    ]

    /// What is sent, and whether it is genuine.
    private struct Delivery {
        var secret: String
        var id = "evt_01KDXYZ0A1B2C3D4E5F6G7H8J9"
        var timestamp = Int64(Date().timeIntervalSince1970)
        var body = Array(#"{"event_type":"message.received","data":{"text":"Grüße, 'quoted' $HOME"}}"#.utf8)
        var signature: String?

        func signed() throws -> String {
            try signature
                ?? WebhookSignature.standard(
                    id: id, timestamp: timestamp, body: body, secrets: [WebhookSignature.Secret(secret)])
        }
    }

    @Test("a sample takes what the gateway signed and refuses everything else", arguments: samples)
    func verifies(sample: [String]) throws {
        let runtime = try #require(sample.first)
        guard Self.isInstalled(runtime) else {
            let mayMiss = ProcessInfo.processInfo.environment["SWITCHBOARD_ALLOW_MISSING"] != nil
            #expect(mayMiss, "\(runtime) is missing: scripts/bootstrap test installs it")
            return
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: "webhook-samples-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let sample = runtime == "go" ? [try Self.compiled("verify.go", in: folder)] : sample
        for secret in [WebhookSignature.Secret.generate(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let genuine = Delivery(secret: secret)
            let signature = try genuine.signed()
            #expect(try Self.run(sample, genuine), "\(sample) refuses its own")
            // While a secret is being replaced there are two signatures.
            #expect(try Self.run(sample, changed(genuine) { $0.signature = "v1,AAAA " + signature }))
            let forged = [
                changed(genuine) { ($0.body, $0.signature) = ($0.body + [0x20], signature) },
                changed(genuine) { ($0.id, $0.signature) = ("evt_2", signature) },
                changed(genuine) { $0.timestamp -= 301 }, changed(genuine) { $0.timestamp += 400 },
                changed(genuine) { $0.signature = "v1,AAAA" }, changed(genuine) { $0.signature = "" },
            ]
            for (index, delivery) in forged.enumerated() {
                #expect(try !Self.run(sample, delivery), "\(sample) takes forgery \(index)")
            }
        }
    }

    private func changed(_ delivery: Delivery, _ change: (inout Delivery) -> Void) -> Delivery {
        var copy = delivery
        change(&copy)
        return copy
    }

    private static func isInstalled(_ runtime: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(runtime)")
        }
    }

    /// A program of Go: compiled once, run often.
    private static func compiled(_ source: String, in folder: URL) throws -> String {
        let program = folder.appending(path: "sample").path
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["go", "build", "-o", program, source]
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["GOCACHE": folder.appending(path: "cache").path, "GO111MODULE": "off"]
        ) { _, new in new }
        process.currentDirectoryURL = examples
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(source) does not compile")
        return program
    }

    private static func run(_ sample: [String], _ delivery: Delivery) throws -> Bool {
        let file = FileManager.default.temporaryDirectory.appending(path: "webhook-sample-\(UUID().uuidString)")
        try Data(delivery.body).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = sample + [delivery.secret, delivery.id, String(delivery.timestamp), try delivery.signed()]
        process.currentDirectoryURL = examples
        process.standardInput = try FileHandle(forReadingFrom: file)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text == (process.terminationStatus == 0 ? "genuine\n" : "forged\n"))
        return process.terminationStatus == 0
    }
}
