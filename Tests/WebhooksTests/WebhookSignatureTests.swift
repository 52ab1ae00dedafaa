import Testing

@testable import Webhooks

@Suite("Webhook signatures")
struct WebhookSignatureTests {
    static let secret = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    static let body = [UInt8](
        #"{"event_type":"message.received","device_id":"7c1f0b7e-4a52-4f6d-9d0c-2f6f5e0a9b11","timestamp":"2026-01-02T03:04:05.678901Z","data":{"chat":"15550001111@s.whatsapp.net","from":"15550001111@s.whatsapp.net","is_from_me":false,"message_id":"3EB0A1B2C3D4E5F60718","timestamp":1767323045}}"#
            .utf8)

    @Test("the reference header is the HMAC under the secret's text")
    func reference() throws {
        let secret = try WebhookSignature.Secret(Self.secret)
        #expect(Self.body.count == 285)
        #expect(
            WebhookSignature.reference(body: Self.body, secret: secret)
                == "sha256=3ee27f97f5bdb1aabe2d4a45754cd4e63e1f6555768ca4c823b0b6801fe50ce1")
    }

    @Test("a plain secret signs Standard Webhooks with its text")
    func standardPlain() throws {
        let secret = try WebhookSignature.Secret(Self.secret)
        #expect(
            WebhookSignature.standard(
                id: "evt_01KDXYZ0A1B2C3D4E5F6G7H8J9", timestamp: 1_767_323_046, body: Self.body, secrets: [secret])
                == "v1,/1K0maRlyWklrshs1EzN0/nKflEITErHHw9Eh48pUP0=")
        #expect(
            secret.signingSecret
                == "whsec_MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmYwMDExMjIzMzQ0NTU2Njc3ODg5OWFhYmJjY2RkZWVmZg==")
    }

    @Test("the published Standard Webhooks vector reproduces")
    func standardPublished() throws {
        let secret = try WebhookSignature.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        #expect(
            WebhookSignature.standard(
                id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330,
                body: [UInt8](#"{"test": 2432232314}"#.utf8), secrets: [secret])
                == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("while a secret rotates both sign, the new one first")
    func rotation() throws {
        let new = try WebhookSignature.Secret(String(repeating: "n", count: 32))
        let old = try WebhookSignature.Secret(String(repeating: "o", count: 32))
        func sign(_ secrets: [WebhookSignature.Secret]) -> String {
            WebhookSignature.standard(id: "evt_1", timestamp: 1, body: [1], secrets: secrets)
        }
        #expect(sign([new, old]) == sign([new]) + " " + sign([old]))
    }

    @Test("secrets of a wrong form are refused")
    func refusals() {
        #expect(throws: WebhookSecretError.length(15)) {
            try WebhookSignature.Secret(String(repeating: "a", count: 15))
        }
        #expect(throws: WebhookSecretError.length(65)) {
            try WebhookSignature.Secret(String(repeating: "a", count: 65))
        }
        #expect(throws: WebhookSecretError.length(4)) { try WebhookSignature.Secret("whsec_AAAAAA==") }
        #expect(throws: WebhookSecretError.notBase64) { try WebhookSignature.Secret("whsec_%%%%") }
    }

    @Test("generated secrets are 64 hex digits and never repeat")
    func generation() {
        let first = WebhookSignature.Secret.generate()
        #expect(first.count == 64 && first.allSatisfy(\.isHexDigit))
        #expect(first != WebhookSignature.Secret.generate())
        #expect(WebhookSignature.Secret.masked(first) == "***" + first.suffix(4))
    }
}
