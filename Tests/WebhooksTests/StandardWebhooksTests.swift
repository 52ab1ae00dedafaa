import Foundation
import Storage
import TestSupport
import Testing

@testable import Webhooks

/// Verified by the public library, not by our own code.
@Suite("Standard Webhooks library")
struct StandardWebhooksTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The interpreter that has the library, made by `scripts/standardwebhooks`. Without it this fails, unless
    /// `SWITCHBOARD_ALLOW_MISSING` is set: then it says aloud that nothing was checked, and is nil.
    private static func python() throws -> String? {
        let (status, output) = run("/bin/sh", [root.appending(path: "scripts/standardwebhooks").path], input: "")
        let said = output.trimmingCharacters(in: .whitespacesAndNewlines)
        if status == 0 { return said }
        let mayMiss = ProcessInfo.processInfo.environment["SWITCHBOARD_ALLOW_MISSING"] != nil
        try #require(mayMiss, "the Standard Webhooks library is missing: scripts/bootstrap test installs it. \(said)")
        print("NOT RUN: signatures against the Standard Webhooks library: \(said)")
        return nil
    }

    private static func run(_ program: String, _ arguments: [String], input: String) -> (Int32, String) {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return (-1, "\(error)") }
        stdin.fileHandleForWriting.write(Data(input.utf8))
        try? stdin.fileHandleForWriting.close()
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private static let program = """
        import json, sys
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError
        for line in sys.stdin:
            case = json.loads(line)
            try:
                Webhook(case["secret"]).verify(case["body"], case["headers"])
                print("ok", flush=True)
            except WebhookVerificationError as error:
                print("refused", flush=True)
        """

    /// One word for each case: `ok` or `refused`.
    private static func verify(_ cases: [(secret: String, delivery: WebhookSink.Delivery)], with python: String) throws
        -> [String]
    {
        let lines = try cases.map { secret, delivery in
            let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map {
                ($0, delivery.header($0) ?? "")
            }
            let object: [String: Any] = [
                "secret": secret, "body": String(decoding: delivery.body, as: UTF8.self),
                "headers": Dictionary(uniqueKeysWithValues: headers),
            ]
            return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
        }
        let (status, output) = run(python, ["-c", program], input: lines.joined(separator: "\n") + "\n")
        #expect(status == 0)
        return output.split(separator: "\n").map(String.init)
    }

    @Test("the public library accepts our requests: each form of secret, both secrets of a rotation, no changed byte")
    func verified() async throws {
        guard let python = try Self.python() else { return }
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let service = try outbox.service()
            var secrets: [String] = []
            for secret in [nil, "a plain text of some length", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
                let webhook = try await service.create(
                    NewWebhook(url: sink.url + "?\(secrets.count)", secret: secret), tenant: outbox.tenant,
                    did: outbox.did)
                _ = try await service.test(
                    webhook.id, tenant: outbox.tenant, did: outbox.did, deviceID: outbox.deviceID)
                secrets.append(try WebhookSignature.Secret(webhook.secret).signingSecret)
                if secrets.count == 3 {
                    let rotated = try await service.rotateSecret(
                        webhook.id, to: nil, grace: 60, tenant: outbox.tenant, did: outbox.did)
                    _ = try await service.test(
                        webhook.id, tenant: outbox.tenant, did: outbox.did, deviceID: outbox.deviceID)
                    secrets.append(try WebhookSignature.Secret(rotated.secret).signingSecret)
                }
            }
            let deliveries = sink.deliveries
            try #require(deliveries.count == 4 && secrets.count == 4)
            var cases = zip(secrets, deliveries).map { (secret: $0, delivery: $1) }
            // The secret before the rotation verifies the request after it.
            cases.append((secrets[2], deliveries[3]))
            // The secret of another webhook, and a body with one byte more.
            cases.append((secrets[0], deliveries[1]))
            cases.append((secrets[0], .init(headers: deliveries[0].headers, body: deliveries[0].body + [0x20])))
            #expect(
                try Self.verify(cases, with: python) == ["ok", "ok", "ok", "ok", "ok", "refused", "refused"])
        }
    }
}
