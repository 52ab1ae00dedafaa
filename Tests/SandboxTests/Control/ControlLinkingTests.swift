import Cryptography
import Foundation
import Sandbox
import Testing
import Transport

@Suite struct ControlLinkingTests {
    private func register(_ companion: Companion, _ control: ControlClient) async throws -> (ScriptedClient, String) {
        let client = try await ScriptedClient.connect(
            URLAndRoot(url: control.addresses.webSocket, root: Hex.decode(control.addresses.rootPublicKey) ?? []),
            noiseKey: companion.noiseKey, payload: companion.registrationPayload())
        let iq = try await client.next("pair-device") { $0.child("pair-device") != nil }
        try await client.send(Stanza("iq", ["to": .jid(.serverJID), "id": iq.attributes["id"], "type": "result"]))
        guard let ref = iq.child("pair-device")?.children("ref").first?.textContent else { throw TestFailure("no ref") }
        return (client, ref)
    }

    private func answerPairing(_ companion: Companion, _ client: ScriptedClient) async throws {
        let success = try await client.next("pair-success") { $0.child("pair-success") != nil }
        try await client.send(companion.answer(pairSuccess: success))
        _ = try await client.next("515") { $0.tag == "stream:error" }
        try await client.sendClose()
    }

    private func online(_ companion: Companion, _ control: ControlClient) async throws -> ScriptedClient {
        let client = try await ScriptedClient.connect(
            URLAndRoot(url: control.addresses.webSocket, root: Hex.decode(control.addresses.rootPublicKey) ?? []),
            noiseKey: companion.noiseKey, payload: companion.loginPayload())
        _ = try await client.next("success") { $0.tag == "success" }
        _ = try await client.query("set", "passive", Stanza("active"))
        return client
    }

    @Test("scanning waits for the companion when asked to, and the device can be seen, steered and kicked")
    func scan() async throws {
        try await ControlClient.with { control in
            _ = try await control.post("/accounts", ["phone": "12025550100"])
            let companion = Companion()
            let (client, ref) = try await register(companion, control)
            let open = try await control.get("/pairings")
            #expect(open.arrayValue?.first?["refs"]?.arrayValue?.first?.stringValue == ref)
            #expect(companion.qr(ref: ref).hasPrefix(open.arrayValue?.first?["qr_hint"]?.stringValue ?? "-"))
            async let scanned = control.post(
                "/accounts/12025550100/scan?wait=paired", ["qr": .string(companion.qr(ref: ref))])
            try await answerPairing(companion, client)
            let linked = try await scanned
            #expect(linked["state"] == "paired")
            #expect(linked["device"] == 1)
            #expect(linked["key_index"] == 1)
            #expect(linked["jid"] == "12025550100:1@s.whatsapp.net")
            let again = try await control.call(
                "POST", "/accounts/12025550100/scan", ["qr": .string(companion.qr(ref: ref))])
            #expect(again.errorCode == "unknown_ref")

            let device = try await online(companion, control)
            _ = try await control.post(
                "/wait", ["type": "device.active", "match": ["account": "12025550100"], "timeout_ms": 10000])
            let devices = try await control.get("/accounts/12025550100/devices")
            #expect(devices.arrayValue?.last?["connected"] == true)
            #expect(devices.arrayValue?.last?["active"] == true)

            _ = try await control.post(
                "/raw",
                [
                    "account": "12025550100", "device": 1,
                    "xml": "<ib from='s.whatsapp.net'><hello n=\"1\">text</hello></ib>",
                ])
            let raw = try await device.next("raw") { $0.child("hello") != nil }
            #expect(raw.child("hello")?.bytesContent == Array("text".utf8))
            #expect(raw.from == .serverJID)

            let handler = try await control.post(
                "/iq-handlers", ["match": ["xmlns": "abt"], "answer": "<props protocol=\"9\"/>"])
            #expect(handler["id"] == 1)
            let answer = try await device.query("get", "abt", Stanza("props"))
            #expect(answer.child("props")?["protocol"] == "9")
            _ = try await control.post(
                "/faults", ["match": ["xmlns": "w:p"], "action": ["type": "iq_error", "code": 503]])
            let faulty = try await device.query("get", "w:p", Stanza("ping"))
            #expect(faulty.child("error")?["text"] == "service-unavailable")
            #expect(try await control.get("/faults").arrayValue?.first?["hits"] == 1)
            let fine = try await device.query("get", "w:p", Stanza("ping"))
            #expect(fine.type == "result")

            let log = try await control.call("GET", "/log?device=12025550100:1@s.whatsapp.net&limit=50&format=xml")
            #expect(log.text.contains("xmlns=\"abt\""))
            _ = try await control.post("/accounts/12025550100/devices/1/kick", ["reason": "device_removed"])
            let conflict = try await device.next("conflict") { $0.tag == "stream:error" }
            #expect(conflict["code"] == "401")
            #expect(conflict.child("conflict")?.type == "device_removed")
            #expect(try await control.get("/accounts/12025550100/devices").arrayValue?.count == 1)
        }
    }

    @Test("a QR code of another connection's keys, and a companion that refuses, are errors of the scan")
    func failures() async throws {
        try await ControlClient.with { control in
            _ = try await control.post("/accounts", ["phone": "12025550100"])
            let companion = Companion()
            let other = Companion()
            let (client, ref) = try await register(companion, control)
            let foreign = try await control.call(
                "POST", "/accounts/12025550100/scan", ["qr": .string(other.qr(ref: ref))])
            #expect(foreign.errorCode == "key_mismatch")
            async let scanned = control.call(
                "POST", "/accounts/12025550100/scan?wait=paired", ["qr": .string(companion.qr(ref: ref))])
            let success = try await client.next("pair-success") { $0.child("pair-success") != nil }
            try await client.send(
                Stanza(
                    "iq", ["to": .jid(.serverJID), "id": success.attributes["id"], "type": "error"],
                    children: [Stanza("error", ["code": "401", "text": "hmac-mismatch"])]))
            let failed = try await scanned
            #expect(failed.status == 409)
            #expect(failed.errorCode == "pairing_failed")
            #expect(failed.text.contains("hmac-mismatch"))
        }
    }
}
