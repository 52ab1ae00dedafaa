import AdminAuth
import Cryptography
import Foundation
import NIOConcurrencyHelpers

/// A request that one node hands to another, as far as its signature covers it.
struct ClusterRequest: Sendable {
    var method: String
    /// Path and query of the request line.
    var target: String
    var body: [UInt8]
    var contentType: String
    var accept: String
    var idempotencyKey: String
}

/// What the forwarding node vouches for: it authenticated the caller.
struct ClusterIdentity: Sendable {
    var caller: Call.Identity
    var requestID: String
    /// Address of the caller, after trusted proxies.
    var client: String
    /// SHA-256 of the body.
    var bodyDigest: [UInt8]
}

/// Signs and checks requests between nodes (14-storage, section 7.4).
///
/// `X-Cluster-Auth: v1.<claims>.<mac>`, both base64url. The claims name the node the request is for, the end of their
/// validity (10 s), a number used once, the caller, and the digest of the body. The MAC is HMAC-SHA-256 under a key derived
/// from `NODE_CLUSTER_SECRET`, over method, target, the headers that mean something, and the claims.
final class ClusterSignature: Sendable {
    enum Refusal: Error, Sendable, Equatable { case malformed, forged, otherNode, expired, replayed }

    private static let lifetime: Int64 = 10_000
    /// Clocks of nodes may differ by so much.
    private static let tolerance: Int64 = 10_000

    private let key: Bytes
    private let nodeID: UUID
    /// A header is taken from `tolerance` before it was signed until `tolerance` after it expired.
    private let seen = NIOLockedValueBox(
        ReplayWindow(length: ClusterSignature.lifetime + 2 * ClusterSignature.tolerance))

    /// - Parameters:
    ///   - secret: `NODE_CLUSTER_SECRET`.
    ///   - nodeID: This node; requests for others are refused.
    init(secret: SecretBytes, nodeID: UUID) {
        key = HMACSHA256.authenticate(Bytes("switchboard cluster forwarding v1".utf8), key: secret)
        self.nodeID = nodeID
    }

    private struct Claims: Codable {
        var node: UUID
        /// Milliseconds since 1970.
        var expires: Int64
        var nonce: String
        var request: String
        var client: String
        var digest: String
        var tier: String
        var did: Int64?
        var device: UUID?
        var version: Int?
        var tenant: Int64?
    }

    /// The header for `request` to `node`.
    ///
    /// - Parameter now: Milliseconds since 1970.
    func sign(_ request: ClusterRequest, identity: ClusterIdentity, for node: UUID, now: Int64) -> String {
        var claims = Claims(
            node: node, expires: now + Self.lifetime, nonce: RequestID.generate(), request: identity.requestID,
            client: identity.client, digest: Hex.encode(SHA256Digest.hash(request.body)), tier: "none")
        switch identity.caller {
        case .anonymous: break
        case .admin: claims.tier = "admin"
        case .tenant(let tenant): (claims.tier, claims.tenant) = ("tenant", tenant.id)
        case .device(let device, let tenant):
            (claims.tier, claims.tenant, claims.did) = ("device", tenant.id, device.did)
            (claims.device, claims.version) = (device.deviceID, device.tokenVersion)
        }
        // Encoding these members cannot fail; an empty text would be refused by the other side.
        let text = Base64.encodeURLSafe(Bytes((try? JSONEncoder().encode(claims)) ?? Data()))
        return "v1.\(text).\(Base64.encodeURLSafe(mac(request, claims: text)))"
    }

    /// Checks a header; the caller compares the digest with the body once it was read. Throws ``Refusal``.
    ///
    /// - Parameters:
    ///   - request: Its body is not looked at.
    ///   - now: Milliseconds since 1970.
    func verify(_ header: String, of request: ClusterRequest, now: Int64) throws(Refusal) -> ClusterIdentity {
        let parts = header.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard header.utf8.count <= 4096, parts.count == 3, parts[0] == "v1", let given = Base64.decodeURLSafe(parts[2])
        else { throw .malformed }
        guard constantTimeEquals(given, mac(request, claims: parts[1])) else { throw .forged }
        guard let bytes = Base64.decodeURLSafe(parts[1]),
            let claims = try? JSONDecoder().decode(Claims.self, from: Data(bytes)),
            let digest = Hex.decode(claims.digest), let caller = Self.caller(claims)
        else { throw .malformed }
        guard claims.node == nodeID else { throw .otherNode }
        let latest = now + Self.lifetime + Self.tolerance
        guard claims.expires >= now - Self.tolerance, claims.expires <= latest else { throw .expired }
        guard seen.withLockedValue({ $0.take(claims.nonce, at: now) }) else { throw .replayed }
        return ClusterIdentity(
            caller: caller, requestID: claims.request, client: claims.client, bodyDigest: digest)
    }

    private static func caller(_ claims: Claims) -> Call.Identity? {
        func tenant(_ id: Int64) -> KnownTenant { KnownTenant(id: id, isActive: true, requestsPerHour: 0, keys: []) }
        switch claims.tier {
        case "none": return .anonymous
        case "admin": return .admin
        case "tenant": return claims.tenant.map { .tenant(tenant($0)) }
        case "device":
            guard let id = claims.tenant, let did = claims.did, let device = claims.device, let version = claims.version
            else { return nil }
            return .device(
                KnownDevice(deviceID: device, did: did, tenantID: id, tokenVersion: version), tenant(id))
        default: return nil
        }
    }

    private func mac(_ request: ClusterRequest, claims: String) -> Bytes {
        let lines = [
            "v1", request.method, request.target, request.contentType, request.accept, request.idempotencyKey, claims,
        ]
        return HMACSHA256.authenticate(Bytes(lines.joined(separator: "\n").utf8), key: key)
    }
}
