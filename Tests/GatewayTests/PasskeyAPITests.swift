import GatewayTestSupport
import Messaging
import Testing

@Suite("The passkey step over HTTP")
struct PasskeyAPITests {
    private static let options = #"{"challenge":"AAEC","rpId":"web.whatsapp.com"}"#
    private static let assertion =
        #"{"id":"AQID","rawId":"AQID","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"BBBB","userHandle":null}}"#

    @Test("status, response and confirmation: nothing pending, a challenge, a code to compare, confirmed")
    func step() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let none = try await api.device(device, "GET", "/devices/me/passkey")
            #expect(none.status == 200 && none.message == "Passkey pairing status")
            #expect(none["data", "status"] as? String == "none" && none["data", "device_id"] as? String == device.id)
            let early = try await api.device(device, "POST", "/devices/me/passkey/response", json: Self.assertion)
            #expect(early.status == 409 && early.errorCode == "passkey_not_pending")
            #expect(early.message == "No passkey challenge is pending")

            let session = try await api.pair(device)
            session.change { script in
                script.state.phase = .registering
                script.state.jid = nil
                script.state.pairing = .passkey(
                    PasskeyState(
                        step: .awaitingResponse, options: Self.options,
                        expiresAt: SystemClock().now().adding(seconds: 300)))
            }
            let asked = try await api.device(device, "GET", "/devices/me/passkey")
            #expect(asked["data", "status"] as? String == "awaiting_response")
            #expect((asked["data", "challenge"] as? [String: Any])?["challenge"] as? String == "AAEC")
            #expect(asked["data", "response_sent"] as? Bool == false && asked["data", "expires_at"] is String)
            let status = try await api.device(device, "GET", "/devices/me/status")
            #expect(status["data", "state_reason"] as? String == "passkey_required")

            let sent = try await api.device(device, "POST", "/devices/me/passkey/response", json: Self.assertion)
            #expect(sent.status == 200 && sent.message == "Passkey response sent")
            #expect(
                session.now.assertions == [
                    PasskeyAssertion(
                        id: "AQID", rawID: "AQID", clientDataJSON: "e30", authenticatorData: "AAAA", signature: "BBBB")
                ])
            let code = try await api.device(device, "GET", "/devices/me/passkey")
            #expect(code["data", "status"] as? String == "awaiting_confirmation")
            #expect(code["data", "code"] as? String == "ABCD-1234" && code["data", "confirmed"] as? Bool == false)
            let confirmed = try await api.device(device, "POST", "/devices/me/passkey/confirm")
            #expect(confirmed.status == 200 && confirmed.message == "Passkey pairing confirmed")
            let again = try await api.device(device, "POST", "/devices/me/passkey/confirm")
            #expect(again.status == 409 && again.errorCode == "passkey_not_pending")
        }
    }

    @Test(
        "an assertion that lacks a part or is no base64url names the member",
        arguments: [
            ("rawId", #""rawId":" ""#, "rawId: cannot be blank"),
            ("rawId", #""rawId":"*""#, "rawId: must be base64url"),
            ("type", #""type":"password""#, "type: must be public-key"),
        ])
    func badAssertion(field: String, member: String, message: String) async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let good = field == "rawId" ? #""rawId":"AQID""# : #""type":"public-key""#
            let body = Self.assertion.replacing(good, with: member)
            let answer = try await api.device(device, "POST", "/devices/me/passkey/response", json: body)
            #expect(answer.status == 400 && answer.message == message && answer.errorCode == "validation_error")
        }
    }
}
