import AsyncHTTPClient
import Foundation
import GatewayTestSupport
import Messaging
import NIOCore
import NIOHTTP1
import Storage
import Tenancy
import TestSupport
import Testing

@testable import Gateway

@Suite("A request goes to the node that has the device")
struct ForwardingTests {
    /// Two servers of one database and configuration: the first forwards to the second.
    private static func withTwo(
        _ body: (_ url: String, _ owner: GatewayFixture, _ here: FakeSessions) async throws -> Void
    ) async throws {
        let settings = ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]
        try await GatewayFixture.run(settings: settings) { owner in
            let here = FakeSessions()
            var dependencies = owner.dependencies
            dependencies = GatewayDependencies(
                configuration: owner.configuration, database: owner.database,
                sealing: try SecretEnvelope(key: owner.configuration.authentication.secretsKey), sessions: here,
                webhooks: dependencies.webhooks, egress: dependencies.egress, versions: dependencies.versions,
                node: NodeIdentity(id: UUID()) { 0 }, logger: dependencies.logger,
                now: { Int64(Date().timeIntervalSince1970) })
            let first = GatewayServer(dependencies, configuration: owner.configuration)
            let second = GatewayServer(owner.dependencies, configuration: owner.configuration)
            let (firstPort, secondPort) = (try await first.start(), try await second.start())
            here.setOwnerURL("http://127.0.0.1:\(secondPort)", nodeID: owner.dependencies.node.id)
            do {
                try await body("http://127.0.0.1:\(firstPort)", owner, here)
            } catch {
                await first.stop()
                await second.stop()
                throw error
            }
            await first.stop()
            await second.stop()
        }
    }

    /// A paired device that both nodes know of.
    private static func device(_ owner: GatewayFixture, _ url: String) async throws -> (NewDevice, FakeDeviceClient) {
        let device = try await owner.device(of: try await owner.tenant())
        let session = try await owner.pair(device)
        _ = try await eventually("the other node knowing the device", within: .seconds(60)) {
            var request = HTTPClientRequest(url: url + "/devices/me")
            request.headers = ["Authorization": "Bearer \(device.token)"]
            return try await HTTPClient.shared.execute(request, timeout: .seconds(60)).status == .ok ? true : nil
        }
        return (device, session)
    }

    private static func send(
        _ url: String, _ device: NewDevice, text: String, headers: [String: String] = [:]
    ) async throws -> (status: Int, headers: HTTPHeaders, body: String) {
        var request = HTTPClientRequest(url: url + "/chats/492522798642/messages")
        request.method = .POST
        request.headers = ["Authorization": "Bearer \(device.token)", "Content-Type": "application/json"]
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(.init(string: #"{"text":"\#(text)"}"#))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let body = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), response.headers, String(buffer: body))
    }

    @Test("the owner runs it, under the caller's identity and request id, once per idempotency key")
    func forwarded() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, session) = try await Self.device(owner, url)
            here.elsewhere(device.did)
            let sent = try await Self.send(
                url, device, text: "one hop", headers: ["X-Request-ID": "trace-me", "Idempotency-Key": "k"])
            #expect(sent.status == 200 && sent.body.contains("Success send message"), "\(sent.body)")
            #expect(sent.headers.first(name: "X-Request-ID") == "trace-me")
            #expect(sent.headers["Content-Type"] == ["application/json"])
            #expect(session.now.sent.map(\.text) == ["one hop"])
            #expect(session.now.sent.first?.idempotency?.key == "k")
        }
    }

    @Test("a request is forwarded once only, and a device that nobody has is 503 with Retry-After")
    func bounded() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, _) = try await Self.device(owner, url)
            here.elsewhere(device.did)
            // The second node believes that the first has it: the request comes back as a miss and goes no further.
            owner.sessions.fail(
                with: .elsewhere(DeviceOwner(did: device.did, nodeID: UUID(), url: url, expiresIn: 7)))
            let refused = try await Self.send(url, device, text: "in circles")
            #expect(refused.status == 503 && refused.body.contains("lease_elsewhere"), "\(refused.body)")
            #expect(refused.headers.first(name: "Retry-After") != nil)
            #expect(owner.sessions.fake(device.did)?.now.sent.isEmpty == true)
        }
    }

    @Test("when the owner is gone the device is taken over here, within the same request")
    func takenOver() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, _) = try await Self.device(owner, url)
            // Nothing listens there.
            here.setOwnerURL("http://127.0.0.1:1", nodeID: UUID())
            here.elsewhere(device.did, times: 2)
            let session = FakeDeviceClient.ready()
            here.set(device.did, session)
            let sent = try await Self.send(url, device, text: "taken over")
            #expect(sent.status == 200, "\(sent.body)")
            #expect(session.now.sent.map(\.text) == ["taken over"])
        }
    }

    /// The answer of the first node to a request of the device.
    private static func ask(
        _ url: String, _ device: NewDevice, _ path: String, method: HTTPMethod = .GET
    ) async throws -> (status: Int, headers: HTTPHeaders, body: String) {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        // Without this the client would try to unpack the body that a HEAD does not have.
        request.headers = ["Authorization": "Bearer \(device.token)", "Accept-Encoding": "identity"]
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let body = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), response.headers, String(buffer: body))
    }

    @Test("a request target that is no path is 400 and goes nowhere")
    func otherHost() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, _) = try await Self.device(owner, url)
            here.elsewhere(device.did)
            let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
            let answer = try await RawHTTP.exchange(
                port,
                "GET *@127.0.0.1:1/devices/me/contacts/492522798642/registered HTTP/1.1\r\nHost: x\r\n"
                    + "Authorization: Bearer \(device.token)\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
        }
    }

    @Test("HEAD has the type and length that GET has")
    func head() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, session) = try await Self.device(owner, url)
            session.change { $0.registered = ["492522798642"] }
            here.elsewhere(device.did)
            let path = "/devices/me/contacts/492522798642/registered"
            let get = try await Self.ask(url, device, path)
            let head = try await Self.ask(url, device, path, method: .HEAD)
            #expect(get.status == 200 && head.status == 200 && head.body.isEmpty, "\(get.body)")
            #expect(head.headers["Content-Type"] == ["application/json"])
            #expect(head.headers["Content-Length"] == ["\(get.body.utf8.count)"])
        }
    }

    @Test("how far a link is, only the node that links can say")
    func linking() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, session) = try await Self.device(owner, url)
            try await owner.script("UPDATE sb.devices SET jid = NULL WHERE did = \(device.did)")
            session.change { script in
                script.state.phase = .registering
                script.state.jid = nil
                script.state.pairing = .passkey(
                    PasskeyState(
                        step: .awaitingResponse, options: #"{"challenge":"AAEC"}"#,
                        expiresAt: SystemClock().now().adding(seconds: 300)))
            }
            here.elsewhere(device.did)
            let step = try await Self.ask(url, device, "/devices/me/passkey")
            #expect(step.body.contains("awaiting_response"), "\(step.body)")
            _ = try await eventually("the step in the status") {
                try await Self.ask(url, device, "/devices/me/status").body.contains("passkey_required") ? true : nil
            }
            session.change { script in
                script.state.pairing = .passkey(
                    PasskeyState(
                        step: .awaitingConfirmation(code: "ABCD-1234", skipsHandoff: false),
                        options: #"{"challenge":"AAEC"}"#, expiresAt: SystemClock().now().adding(seconds: 300)))
            }
            let confirmed = try await Self.ask(url, device, "/devices/me/passkey/confirm", method: .POST)
            #expect(confirmed.status == 200, "\(confirmed.body)")
        }
    }

    @Test("reconnecting all devices reconnects those of other nodes there")
    func reconnectAll() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, session) = try await Self.device(owner, url)
            here.elsewhere(device.did)
            var request = HTTPClientRequest(url: url + "/admin/devices/reconnect")
            request.method = .POST
            request.headers = ["X-Admin-Secret": GatewayFixture.adminSecret]
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            let body = String(buffer: try await response.body.collect(upTo: 1 << 20))
            #expect(body.contains(#""status":"reconnected""#), "\(body)")
            #expect(session.now.reconnects == 1)
        }
    }

    @Test("an owner with which no TLS comes about did not run it")
    func noTLS() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, _) = try await Self.device(owner, url)
            here.elsewhere(device.did)
            let plain = try #require(try await here.owner(did: device.did)?.url)
            here.setOwnerURL(plain.replacing("http:", with: "https:"), nodeID: UUID())
            here.elsewhere(device.did, times: 2)
            let session = FakeDeviceClient.ready()
            here.set(device.did, session)
            let sent = try await Self.send(url, device, text: "taken over")
            #expect(sent.status == 200, "\(sent.body)")
            #expect(session.now.sent.map(\.text) == ["taken over"])
        }
    }

    @Test("a header that was not signed by a node is 401 and runs nothing")
    func forged() async throws {
        try await Self.withTwo { url, owner, here in
            let (device, _) = try await Self.device(owner, url)
            let session = FakeDeviceClient.ready()
            here.set(device.did, session)
            let refused = try await Self.send(url, device, text: "x", headers: ["X-Cluster-Auth": "v1.e30.AAAA"])
            #expect(refused.status == 401, "\(refused.body)")
            #expect(session.now.sent.isEmpty)
        }
    }
}
