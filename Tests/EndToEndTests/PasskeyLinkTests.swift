import Foundation
import TestSupport
import Testing

@Suite("Accounts that WhatsApp demands a passkey of", .serialized)
struct PasskeyLinkTests {
    /// Base-64 for URLs, without padding.
    private static func encode(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=", with: "")
    }

    /// Answers the challenge that the API shows, as a browser's authenticator would; the sandbox checks no signature.
    private func answer(_ customer: Customer) async throws {
        let challenge = try await eventually("the passkey challenge") {
            let state = try await customer.device.get("/devices/me/passkey").json["data"]
            return state["status"].string == "awaiting_response" ? state["challenge"] : nil
        }
        let credential = try #require(challenge["allowCredentials"].array.first?["id"].string)
        let value = try #require(challenge["challenge"].string)
        let clientData = Self.encode(
            #"{"type":"webauthn.get","challenge":"\#(value)","origin":"https://web.whatsapp.com"}"#)
        let response: [String: any Sendable] = [
            "clientDataJSON": clientData, "authenticatorData": "AAAA", "signature": "AAAA",
        ]
        let sent = try await customer.device.post(
            "/devices/me/passkey/response",
            ["id": credential, "rawId": credential, "type": "public-key", "response": response])
        #expect(sent.status == 200, "\(sent.text)")
    }

    @Test("a device links by QR and by code, with a passkey between")
    func link() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            let login = try await ada.device.post("/devices/me/login?output=json")
            let qr = try #require(login.json["data"]["code"].string, "\(login.text)")
            let scan = try await dev.sandbox.post("/accounts/\(ada.phone)/scan", ["qr": qr, "passkey": true])
            #expect(scan.json["state"].string == "passkey_requested", "\(scan.text)")
            try await answer(ada)
            try await ada.waitUntilLoggedIn()

            let bob = try await Customer.create(dev, phone: "12025550101", name: "Bob")
            let asked = try await bob.device.post("/devices/me/login-code", ["phone": bob.phone])
            let code = try #require(asked.json["data"]["PairCode"].string, "\(asked.text)")
            let entered = try await dev.sandbox.post(
                "/accounts/\(bob.phone)/enter-code", ["code": code, "passkey": true])
            #expect(entered.json["state"].string == "passkey_requested", "\(entered.text)")
            try await answer(bob)
            try await bob.waitUntilLoggedIn()
        }
    }
}
