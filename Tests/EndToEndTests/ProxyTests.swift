import TestSupport
import Testing

@Suite("Devices behind proxies", .serialized)
struct DeviceProxyTests {
    @Test("a device connects through the proxy it is given, of either kind, and directly again when it is cleared")
    func proxies() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            let server = try #require(dev.ready["sandbox"]["ws"].string?.split(separator: "/").dropFirst().first)
            for kind in [FakeProxy.Kind.socks(credentials: ("ada", "s3cret")), .http(credentials: ("ada", "s3cret"))] {
                let proxy = try await FakeProxy(kind: kind)
                let scheme = if case .http = kind { "http" } else { "socks5" }
                let set = try await ada.device.post(
                    "/devices/me/proxy", ["proxy_url": "\(scheme)://ada:s3cret@127.0.0.1:\(proxy.port)"])
                #expect(set.status == 200, "\(set.text)")
                try await ada.waitUntilLoggedIn()
                #expect(proxy.targets == [String(server)])
                _ = try await ada.send("by \(scheme)", to: ada.phone)
                try await ada.waitForPhone(toSee: "by \(scheme)")
                let shown = try await ada.device.get("/devices/me/proxy")
                #expect(shown.text.contains("ada:***@") && !shown.text.contains("s3cret"))
                try await proxy.stop()
            }
            let cleared = try await ada.device.post("/devices/me/proxy", ["proxy_url": ""])
            #expect(cleared.status == 200, "\(cleared.text)")
            try await ada.waitUntilLoggedIn()
        }
    }
}
