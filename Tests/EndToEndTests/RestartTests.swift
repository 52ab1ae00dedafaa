import Foundation
import TestSupport
import Testing

@Suite("Restarts", .serialized)
struct RestartTests {
    @Test("linked devices stay linked over a clean stop and over SIGKILL, and queued messages arrive")
    func restart() async throws {
        try await withDirectory { directory in
            var dev = try await DevProcess.start(in: directory)
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            #expect(try await dev.stop() == 0)

            dev = try await DevProcess.start(in: directory)
            var device = API(base: dev.api.base, headers: ada.device.headers)
            try await Self.waitForLogin(device)
            try await dev.makePhone("12025550102", name: "Carol")
            try await dev.killHard()

            dev = try await DevProcess.start(in: directory)
            device = API(base: dev.api.base, headers: ada.device.headers)
            try await Self.waitForLogin(device)
            let sent = try await dev.sandbox.post(
                "/accounts/12025550102/send", ["to": ada.phone, "text": "after the crash"])
            #expect(sent.status == 200, "\(sent.text)")
            _ = try await eventually("the message after the crash") {
                let stored = try await device.get("/chats/12025550102/messages")
                return stored.json["data"]["messages"].array.first { $0["text"].string == "after the crash" }
            }
            let answered = try await device.post("/chats/12025550102/messages", ["text": "still here"])
            #expect(answered.status == 200, "\(answered.text)")
            #expect(try await dev.stop() == 0)
        }
    }

    private static func waitForLogin(_ device: API) async throws {
        _ = try await eventually("the login after a restart", within: .seconds(40)) {
            let status = try await device.get("/devices/me/status")
            return status.json["data"]["is_logged_in"].bool == true ? true : nil
        }
    }
}
