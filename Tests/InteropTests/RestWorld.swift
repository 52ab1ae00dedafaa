import AdminAuth
import Cryptography
import Foundation
import Gateway
import GatewayTestSupport
import Messaging
import Synchronization

/// The state that the recorded requests were made in: one tenant, a device that is logged in and two that never were,
/// under the ids, secrets and tokens of the record, so that its credentials are valid here as they stand.
struct RestWorld {
    private static let jid = "496294919105:1@s.whatsapp.net"
    private static let apiKey = "wam_8149c66bc01163ccee3820e303f2"
    /// Of the second device, which the record asks a token for.
    private static let deviceSecret = "c198b63597bf6cfa987e8b121c4ad31c9c96009f3af8aec6dbec43df1550b1ed"
    /// When the recorded tokens were issued, plus five seconds.
    private static let start: Int64 = 1_795_243_749

    let fixture: GatewayFixture
    let gateway: InProcessGateway
    private let phone: FakeDeviceClient
    private let phoneID: Int64
    private let clock: Clock

    private final class Clock: Sendable {
        let seconds = Mutex(RestWorld.start)
    }

    /// Settings of the recorded server, as far as they are visible in its answers.
    static func settings(_ header: VectorCase, mode: RestTranscript.Mode) throws -> [String: String] {
        try [
            "ADMIN_SECRET_KEY": header.string("admin_secret"), "JWT_SECRET_KEY": header.string("jwt_secret"),
            "API_ERROR_STATUS_MODE": mode.rawValue, "WEBHOOK_ALLOW_HTTP": "false", "EGRESS_ALLOW_CIDRS": "",
        ]
    }

    init(_ fixture: GatewayFixture) async throws {
        self.fixture = fixture
        let clock = Clock()
        self.clock = clock
        try await fixture.script(Self.script)
        let feed = AuthFeed(
            source: StoredAuthSource(fixture.database), directory: fixture.dependencies.directory,
            freshness: fixture.dependencies.freshness, logger: fixture.dependencies.logger)
        _ = try await feed.load()
        var dependencies = fixture.dependencies
        dependencies.node = NodeIdentity(id: UUID()) { 1 }
        gateway = InProcessGateway(dependencies, configuration: fixture.configuration) {
            clock.seconds.withLock { $0 }
        }
        phone = FakeDeviceClient.ready(jid: Self.jid)
        phone.change { $0.registered = ["492522798642"] }
        phoneID = 1
        fixture.sessions.set(phoneID, phone)
    }

    /// Sends a recorded request.
    func send(_ exchange: RestExchange) async throws -> APIAnswer {
        // The record's tenant may make 100 requests an hour from its first change on, and the reference does not count.
        if exchange.tier == "device" { clock.seconds.withLock { $0 += 37 } }
        let answer = try await gateway.send(
            exchange.method, exchange.path, headers: exchange.headers, body: exchange.body)
        if exchange.route == "DELETE /devices/me/session", answer.status == 200 { try await forgetPhone() }
        return APIAnswer(answer)
    }

    /// What a session does to its row and itself when it is logged out.
    private func forgetPhone() async throws {
        try await fixture.script("UPDATE sb.devices SET jid = NULL, status = 'logged_out' WHERE did = \(phoneID)")
        phone.change { $0.failure = .notPaired }
    }

    private static var script: String {
        let key = Hex.encode(SHA256Digest.hash(Array(apiKey.utf8)))
        let secret = Hex.encode(SHA256Digest.hash(Array(deviceSecret.utf8)))
        return """
            INSERT INTO sb.tenants (customer_name, customer_email, customer_phone, max_devices, rate_limit_per_hour, created_at,
              updated_at)
            VALUES ('Umbrella71', 'ops@umbrella71.example', '49920049642', 6, 5000, '2026-11-21T06:49:04.103527Z',
              '2026-11-21T06:49:04.103527Z');
            INSERT INTO sb.api_keys (tenant_id, key_hash, key_prefix, key_suffix)
            VALUES (1, '\\x\(key)', 'wam_8149', '03f2');
            INSERT INTO sb.devices (device_id, tenant_id, device_name, secret_hash, status, jid, created_at, last_active_at)
            VALUES
              ('c510512b-0ebd-4bb6-bb91-1f9eb7855b2c', 1, 'phone-0', '\\x\(secret)', 'active', '\(jid)',
               '2026-11-21T06:49:04.108371Z', '2026-11-21T06:49:04.927612Z'),
              ('7cb7f7dc-75ea-453d-ab00-e5aa3a891b10', 1, 'phone-1', '\\x\(secret)', 'pending', NULL,
               '2026-11-21T06:49:04.112304Z', NULL),
              ('ac6fea69-2e8e-4a8d-982e-f64accc43e61', 1, 'phone-2', '\\x\(secret)', 'pending', NULL,
               '2026-11-21T06:49:04.115064Z', NULL);
            INSERT INTO sb.device_leases (did) SELECT did FROM sb.devices ON CONFLICT DO NOTHING;
            """
    }
}
