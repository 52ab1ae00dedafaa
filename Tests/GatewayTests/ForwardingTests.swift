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
