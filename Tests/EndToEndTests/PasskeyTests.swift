import Foundation
import TestSupport
import Testing

@Suite("Accounts that need a passkey", .serialized)
struct PasskeyTests {
    @Test("a device links by QR and one by code though WhatsApp demands a passkey of both")
    func links() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            let sink = try await WebhookSink.start()
            let subscribed = try await ada.device.post(
                "/webhooks", ["url": sink.url, "events": ["connection.*"]])
            #expect(subscribed.status == 200, "\(subscribed.text)")
            let login = try await ada.device.post("/devices/me/login?output=json")
            let qr = try #require(login.json["data"]["code"].string, "\(login.text)")
            let scan = try await dev.sandbox.post(
                "/accounts/\(ada.phone)/scan", ["qr": qr, "passkey": true])
            #expect(scan.json["state"].string == "passkey_requested", "\(scan.text)")
            let told = try await sink.delivery(of: "connection.passkey_required")
            #expect(told.json["device_id"].string == ada.deviceID)
            try await answer(ada)
            try await ada.waitUntilLoggedIn()
            // Over HTTP as in the session: nothing is to be confirmed any more.
            let late = try await ada.device.post("/devices/me/passkey/confirm", [:])
            #expect(
                late.status == 409 && late.json["data"]["error_code"].string == "passkey_not_pending", "\(late.text)")

            let bob = try await Customer.create(dev, phone: "12025550101", name: "Bob")
            let started = try await bob.device.post("/devices/me/login-code", ["phone": bob.phone])
            let code = try #require(started.json["data"]["PairCode"].string, "\(started.text)")
            let entered = try await dev.sandbox.post(
                "/accounts/\(bob.phone)/enter-code", ["code": code, "passkey": true])
            #expect(entered.json["state"].string == "passkey_requested", "\(entered.text)")
            try await answer(bob)
            try await bob.waitUntilLoggedIn()

            _ = try await ada.send("linked with a passkey", to: bob.phone)
            try await bob.waitForPhone(toSee: "linked with a passkey")
            try await sink.stop()
        }
    }

    @Test(
        "codes that are to be compared are the same on both sides, and the device links once both have said so over HTTP"
    )
    func comparison() async throws {
        try await withDev(environment: ["WHATSAPP_PASSKEY_COMPARE": "true"]) { dev in
            let ada = try await Customer.create(dev, phone: "12025550102", name: "Ada")
            let started = try await ada.device.post("/devices/me/login-code", ["phone": ada.phone])
            let typed = try #require(started.json["data"]["PairCode"].string, "\(started.text)")
            let entered = try await dev.sandbox.post(
                "/accounts/\(ada.phone)/enter-code", ["code": typed, "passkey": true])
            #expect(entered.json["state"].string == "passkey_requested", "\(entered.text)")
            try await answer(ada)
            let code = try await eventually("the code to compare") { () -> String? in
                let step = try await ada.device.get("/devices/me/passkey").json["data"]
                guard step["status"].string == "awaiting_confirmation" else { return nil }
                #expect(step["skip_handoff_ux"].bool == false && step["confirmed"].bool == false)
                return step["code"].string
            }
            let shown = try await eventually("the code on the phone") {
                try await dev.sandbox.get("/pairings").json.array.compactMap { $0["passkey_code"].string }.first
            }
            #expect(code == shown)
            let wrong = try await dev.sandbox.post("/accounts/\(ada.phone)/confirm-passkey", ["code": "ZZZZ-ZZZZ"])
            #expect(wrong.json["state"].string == "wrong_code", "\(wrong.text)")
            // The phone alone is not enough: the gateway has given nothing away yet.
            let phone = try await dev.sandbox.post("/accounts/\(ada.phone)/confirm-passkey", ["code": code])
            #expect(phone.status == 200, "\(phone.text)")
            let waiting = try await ada.device.get("/devices/me/status")
            #expect(waiting.json["data"]["is_logged_in"].bool == false, "\(waiting.text)")
            let open = try await ada.device.get("/devices/me/passkey")
            #expect(open.json["data"]["status"].string == "awaiting_confirmation", "\(open.text)")
            #expect(open.json["data"]["confirmed"].bool == false, "\(open.text)")
            let confirmed = try await ada.device.post("/devices/me/passkey/confirm", [:])
            #expect(
                confirmed.status == 200 && confirmed.json["message"].string == "Passkey pairing confirmed",
                "\(confirmed.text)")
            try await ada.waitUntilLoggedIn()
            let over = try await ada.device.get("/devices/me/passkey")
            #expect(over.json["data"]["status"].string == "none", "\(over.text)")
        }
    }

    /// Waits for the challenge and answers it as an authenticator would.
    private func answer(_ customer: Customer) async throws {
        let options = try await eventually("the challenge for \(customer.phone)") {
            let step = try await customer.device.get("/devices/me/passkey")
            return step.json["data"]["status"].string == "awaiting_response" ? step.json["data"]["challenge"] : nil
        }
        let status = try await customer.device.get("/devices/me/status")
        #expect(status.json["data"]["state_reason"].string == "passkey_required", "\(status.text)")
        let challenge = try #require(options["challenge"].string)
        let credential = try #require(options["allowCredentials"].array.first?["id"].string)
        let client = #"{"type":"webauthn.get","challenge":"\#(challenge)","origin":"https://web.whatsapp.com"}"#
        let parts: [String: any Sendable] = [
            "clientDataJSON": base64URL(Data(client.utf8)), "authenticatorData": base64URL(Data(count: 37)),
            "signature": base64URL(Data(count: 70)),
        ]
        let sent = try await customer.device.post(
            "/devices/me/passkey/response",
            ["id": credential, "rawId": credential, "type": "public-key", "response": parts])
        #expect(sent.status == 200, "\(sent.text)")
    }

    private func base64URL(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
