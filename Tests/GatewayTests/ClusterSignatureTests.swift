import AdminAuth
import Cryptography
import Foundation
import Testing

@testable import Gateway

@Suite("Requests between nodes are signed")
struct ClusterSignatureTests {
    private static let now: Int64 = 1_767_323_045_000
    private let node = UUID()

    private func signature(_ secret: String = "a cluster secret", node: UUID? = nil) -> ClusterSignature {
        ClusterSignature(secret: SecretBytes(Bytes(secret.utf8)), nodeID: node ?? self.node)
    }

    private let request = ClusterRequest(
        method: "POST", target: "/chats/1/messages?x=1", body: Array("{}".utf8), contentType: "application/json",
        accept: "", idempotencyKey: "key")

    private var identity: ClusterIdentity {
        ClusterIdentity(
            caller: .device(
                KnownDevice(deviceID: UUID(), did: 7, tenantID: 3, tokenVersion: 2),
                KnownTenant(id: 3, isActive: true, requestsPerHour: 10, keys: [])),
            requestID: "request-1", client: "192.0.2.7", bodyDigest: [])
    }

    @Test("the owner learns the caller, the request id and the caller's address")
    func roundTrip() throws {
        let header = signature().sign(request, identity: identity, for: node, now: Self.now)
        let opened = try signature().verify(header, of: request, now: Self.now + 500)
        guard case .device(let device, let tenant) = opened.caller else {
            Issue.record("not a device: \(opened.caller)")
            return
        }
        #expect(device.did == 7 && device.tenantID == 3 && device.tokenVersion == 2 && tenant.id == 3)
        #expect(opened.requestID == "request-1" && opened.client == "192.0.2.7")
        #expect(opened.bodyDigest == SHA256Digest.hash(request.body))
    }

    @Test("a header counts once, for its node, for a short time and under the same secret")
    func refusals() throws {
        let verifier = signature()
        let header = signature().sign(request, identity: identity, for: node, now: Self.now)
        _ = try verifier.verify(header, of: request, now: Self.now)
        #expect(throws: ClusterSignature.Refusal.replayed) {
            try verifier.verify(header, of: request, now: Self.now + 1)
        }
        let other = signature().sign(request, identity: identity, for: UUID(), now: Self.now)
        #expect(throws: ClusterSignature.Refusal.otherNode) {
            try verifier.verify(other, of: request, now: Self.now)
        }
        let late = signature().sign(request, identity: identity, for: node, now: Self.now)
        #expect(throws: ClusterSignature.Refusal.expired) {
            try verifier.verify(late, of: request, now: Self.now + 21_000)
        }
        #expect(throws: ClusterSignature.Refusal.expired) {
            try verifier.verify(late, of: request, now: Self.now - 21_000)
        }
        #expect(throws: ClusterSignature.Refusal.forged) {
            try signature("another secret").verify(late, of: request, now: Self.now)
        }
    }

    @Test("a number used once is remembered for a whole window, however many come, and forgotten after two")
    func replays() {
        var window = ReplayWindow(length: 30_000)
        func take(_ nonce: String, at now: Int64) -> Bool { window.take(nonce, at: now) }
        for number in 0..<20_000 { #expect(take("\(number)", at: Self.now + Int64(number))) }
        #expect(!take("0", at: Self.now + 30_000) && !take("19999", at: Self.now + 49_998))
        #expect(take("late", at: Self.now + 59_999) && !take("late", at: Self.now + 89_998))
        #expect(!take("late", at: Self.now), "the clock was set back")
        #expect(take("0", at: Self.now + 200_000))
        #expect(window.count == 1)
    }

    @Test("whatever is changed on the way is noticed")
    func tampering() {
        let header = signature().sign(request, identity: identity, for: node, now: Self.now)
        let parts: [WritableKeyPath<ClusterRequest, String>] = [
            \.method, \.target, \.contentType, \.accept, \.idempotencyKey,
        ]
        for part in parts {
            var changed = request
            changed[keyPath: part] += "x"
            #expect(throws: ClusterSignature.Refusal.forged) {
                try signature().verify(header, of: changed, now: Self.now)
            }
        }
    }

    @Test(
        "text that is no header is refused",
        arguments: ["", "v1", "v1..", "v2.a.b", "v1.a.b.c", "v1.%.%", "v1.e30.AAAA"])
    func garbage(header: String) {
        #expect(throws: ClusterSignature.Refusal.self) {
            try signature().verify(header, of: request, now: Self.now)
        }
    }
}
