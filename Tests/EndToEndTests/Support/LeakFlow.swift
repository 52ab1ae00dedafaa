import Foundation
import TestSupport
import Testing

/// A life with every kind of secret in it: keys, tokens, codes, proxies, webhooks, messages, and requests that go wrong.
struct LeakFlow {
    struct Device: Sendable {
        let phone: String
        let id: String
        let secret: String
        let token: String

        func on(_ api: API) -> API { api.with("Authorization", "Bearer \(token)") }
    }

    let cluster: Cluster
    let key: String
    let ada: Device
    let bob: Device
    let group: String
    private let sink: WebhookSink
    private let proxy: FakeProxy

    private var first: API { cluster.nodes[0].api }
    private var second: API { cluster.nodes[1].api }

    /// Two linked devices on two nodes, one by QR and one by code, with webhooks that hear everything from the start.
    static func start(_ cluster: Cluster, _ search: inout SecretSearch, proxyPassword: String) async throws -> LeakFlow
    {
        let (first, second) = (cluster.nodes[0].api, cluster.nodes[1].api)
        let admin = first.with("X-Admin-Secret", LeakTests.adminSecret)
        let created = try await admin.post("/admin/api-keys", ["customer_name": "Ada & Bob", "max_devices": 5])
        let key = try #require(created.json["data"]["api_key"].string, "\(created.text)")
        search.add("API key", key)
        let sink = try await WebhookSink.start()
        let headerSecret = "c2VjcmV0LWluLWEtaGVhZGVy"
        search.add("webhook header", headerSecret)
        var devices: [Device] = []
        for (phone, node) in [("12025550100", first), ("12025550101", second)] {
            let account = try await cluster.world.post(
                "/accounts", ["phone": phone, "push_name": "P\(phone.suffix(1))"])
            #expect(account.status < 300, "\(account.text)")
            // A key is known to the other node within a moment.
            let made = try await eventually("a device for \(phone)") { () -> Answer? in
                let made = try await node.with("X-API-Key", key).post(
                    "/devices", ["device_name": phone], headers: ["Idempotency-Key": "make-\(phone)"])
                return made.status == 401 ? nil : made
            }
            let data = made.json["data"]
            let device = Device(
                phone: phone, id: try #require(data["device_id"].string, "\(made.text)"),
                secret: try #require(data["device_secret"].string), token: try #require(data["token"].string))
            search.add("device secret of \(phone)", device.secret)
            search.add("token of \(phone)", device.token)
            search.add("signature of \(phone)'s token", String(device.token.split(separator: ".").last ?? ""))
            let hook = try await device.on(node).post(
                "/webhooks",
                [
                    "url": sink.url, "headers": ["Authorization": "Basic \(headerSecret)"],
                    "events": ["connection.*", "message.*"],
                ])
            search.add("webhook secret of \(phone)", try #require(hook.json["data"]["secret"].string, "\(hook.text)"))
            devices.append(device)
        }
        let (ada, bob) = (devices[0], devices[1])
        let proxy = try await FakeProxy(kind: .http(credentials: ("bob", proxyPassword)))
        let set = try await bob.on(second).post(
            "/devices/me/proxy", ["proxy_url": "http://bob:\(proxyPassword)@127.0.0.1:\(proxy.port)"])
        #expect(set.status == 200, "\(set.text)")
        try await linkByQR(ada, first, cluster.world, &search)
        try await linkByCode(bob, second, cluster.world, &search)
        // What shows the codes to the customer carried them, and they are sealed where they wait for it.
        for event in ["connection.qr", "connection.pairing_code"] { _ = try await sink.delivery(of: event) }
        let made = try await cluster.world.post(
            "/groups", ["creator": ada.phone, "subject": "Both", "participants": [bob.phone]])
        return LeakFlow(
            cluster: cluster, key: key, ada: ada, bob: bob, group: try #require(made.json["id"].string, "\(made.text)"),
            sink: sink, proxy: proxy)
    }

    private static func linkByQR(
        _ device: Device, _ node: API, _ world: API, _ search: inout SecretSearch
    ) async throws {
        var codes: [String] = []
        // A code lasts twenty seconds: on a busy machine the next one is scanned.
        _ = try await eventually("a scan that pairs \(device.phone)") { () -> Bool? in
            let login = try await device.on(node).post("/devices/me/login?output=json")
            let code = try #require(login.json["data"]["code"].string, "\(login.text)")
            codes.append(code)
            let scan = try await world.post("/accounts/\(device.phone)/scan?wait=paired", ["qr": code])
            return scan.status == 200 ? true : nil
        }
        for code in codes {
            search.add("QR", code)
            let parts = code.split(separator: ",").map(String.init)
            search.add("QR ref", parts[0])
            search.add("ADV secret", parts[3])
        }
        try await waitForLogin(device, node)
    }

    private static func linkByCode(
        _ device: Device, _ node: API, _ world: API, _ search: inout SecretSearch
    ) async throws {
        let linking = try await device.on(node).post("/devices/me/login-code", ["phone": device.phone])
        let code = try #require(linking.json["data"]["PairCode"].string, "\(linking.text)")
        search.add("pairing code", code)
        search.add("pairing code without hyphen", code.replacing("-", with: ""))
        let entered = try await world.post("/accounts/\(device.phone)/enter-code", ["code": code])
        #expect(entered.status == 200, "\(entered.text)")
        try await waitForLogin(device, node)
    }

    private static func waitForLogin(_ device: Device, _ node: API) async throws {
        _ = try await eventually("the login of \(device.phone)") {
            let status = try await device.on(node).get("/devices/me/status")
            return status.json["data"]["is_logged_in"].bool == true ? true : nil
        }
    }

    /// Messages between the two, alone and in a group, each sent through the node that does not run the device.
    func talk(_ text: String, groupText: String) async throws {
        for (sender, receiver, node) in [(ada, bob, second), (bob, ada, first)] {
            for (chat, text) in [(receiver.phone, text), ("\(group)@g.us", groupText)] {
                let sent = try await sender.on(node).post("/chats/\(chat)/messages", ["text": text])
                let id = try #require(sent.json["data"]["message_id"].string, "\(sent.text)")
                _ = try await sink.delivery(of: "message.received") { $0.json["data"]["message_id"].string == id }
            }
        }
    }

    /// Requests that go wrong with secrets in them, also in the wrong places. Returns all that was answered.
    func provoke(_ search: inout SecretSearch) async throws -> [UInt8] {
        search.add("wrong admin secret", "wrong-admin-secret-0815")
        search.add("wrong device secret", "wrong-device-secret-0815")
        let admin = LeakTests.adminSecret
        var bodies: [String] = []
        func add(_ answer: Answer, isEchoed: Bool = false) {
            #expect(answer.status >= 400, "\(answer.status) \(answer.text)")
            // A path is the caller's own words; what it names may come back, and must not be logged.
            if !isEchoed { bodies.append(answer.text) }
        }
        for api in [first, second] {
            add(try await api.with("X-Admin-Secret", "wrong-admin-secret-0815").get("/admin/stats"))
            add(try await api.with("X-Admin-Secret", key).get("/admin/stats"))
            add(try await api.with("X-API-Key", admin).get("/devices"))
            add(try await api.with("X-API-Key", key + "x").get("/devices"))
            add(try await api.with("Authorization", "Bearer \(ada.token)x").get("/devices/me"))
            add(try await api.with("Authorization", "Bearer \(admin)").get("/devices/me"))
            add(try await api.with("Authorization", key).get("/devices/me"))
            for (id, secret) in [(ada.id, "wrong-device-secret-0815"), (ada.secret, ada.secret)] {
                add(try await api.post("/devices/token", ["device_id": id, "device_secret": secret]))
            }
            for url in ["ftp://u:proxy-pass-4711-x@127.0.0.1:9", "http://u:proxy-pass-4711-x@:0"] {
                add(try await ada.on(api).post("/devices/me/proxy", ["proxy_url": url]))
            }
            add(try await bob.on(api).post("/webhooks", ["url": "http://u:proxy-pass-4711-x@10.0.0.1/"]))
            add(try await ada.on(api).post("/chats/\(ada.secret)/messages", ["text": "x"]), isEchoed: true)
            add(try await ada.on(api).get("/webhooks/\(ada.secret)"), isEchoed: true)
            let cut = Data("{\"text\":\"\(bob.secret)".utf8)
            add(try await ada.on(api).send("POST", "/chats/\(bob.phone)/messages", cut))
        }
        try await breakProxy()
        try await sink.stop()
        return Array(bodies.joined(separator: "\n").utf8)
    }

    /// Bob's proxy goes, and his node tries it in vain.
    private func breakProxy() async throws {
        try await proxy.stop()
        _ = try await bob.on(second).post("/devices/me/reconnect")
        let tried = "12025550101 failing through its proxy"
        _ = try await eventually(tried) {
            let status = try await bob.on(second).get("/devices/me/status")
            return status.json["data"]["is_logged_in"].bool == false ? true : nil
        }
    }
}
