import Cryptography
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Tenancy

/// What the edge needs to forward requests and to take forwarded ones.
struct EdgeCluster: Sendable {
    let signature: ClusterSignature
    let forwarder: ClusterForwarder
    let sessions: any SessionDirectory
}

extension Edge {
    /// How long a request waits for its device to come to another node, or to this one.
    private static let patience = Duration.seconds(5)
    /// One that would be queued on the device waits until the lease of a dead node has run out and the device is taken over.
    private static let queueingPatience = Duration.seconds(20)

    /// Who sent a request that another node forwards; nil for one that comes from outside. Throws 401.
    func forwardedIdentity(of request: Request) throws -> ClusterIdentity? {
        guard let header = request.headers[.clusterAuthentication] else { return nil }
        guard let cluster else { throw APIError.invalidClusterAuthentication }
        do {
            return try cluster.signature.verify(
                header, of: clusterRequest(request, body: []), now: Int64(Date().timeIntervalSince1970 * 1000))
        } catch {
            accessLog.warning("a forwarded request was refused", metadata: ["reason": "\(error)"])
            throw APIError.invalidClusterAuthentication
        }
    }

    /// Runs the handler here, or where the device is.
    func run(_ call: Call, _ request: Request, _ body: [UInt8], forwarded: ClusterIdentity?) async throws -> Answer {
        do {
            return try await call.route.handler(call)
        } catch let error as SessionDirectoryError {
            if forwarded != nil { throw error.isMiss ? APIError(error).missed : APIError(error) }
            guard case .elsewhere(let owner) = error, let cluster else { throw error }
            var wanted = clusterRequest(request, body: body)
            // Of a HEAD the length and type of the body would be lost on the way: this node answers it from the GET.
            if wanted.method == "HEAD" { wanted.method = "GET" }
            return try await forward(call, wanted, to: owner, cluster)
        }
    }

    /// Sends a request to the owner of its device. When the owner is gone the device's next owner gets it, or this node;
    /// a request that may have run is repeated only if that cannot do anything twice.
    private func forward(
        _ call: Call, _ request: ClusterRequest, to first: DeviceOwner, _ cluster: EdgeCluster
    ) async throws -> Answer {
        let identity = ClusterIdentity(
            caller: call.identity, requestID: call.requestID, client: call.client, bodyDigest: [])
        let isQueueing = call.route.isIdempotent && call.idempotencyKey != nil
        let isRepeatable = request.method == "GET" || isQueueing
        let deadline = ContinuousClock.now + (isQueueing ? Self.queueingPatience : Self.patience)
        var owner = first
        while true {
            switch try await cluster.forwarder.send(request, identity: identity, to: owner, limit: forwardLimit) {
            case .answer(let answer): return answer
            case .unknown where !isRepeatable: throw APIError.ownerLost
            case .notRun, .unknown: break
            }
            cluster.sessions.forgetOwner(did: owner.did)
            guard ContinuousClock.now < deadline else { throw APIError.leaseElsewhere(for: owner) }
            try await Task.sleep(for: .milliseconds(Int.random(in: 150..<300)))
            do {
                return try await call.route.handler(call)
            } catch SessionDirectoryError.elsewhere(let next) {
                owner = next
            }
        }
    }

    private func clusterRequest(_ request: Request, body: [UInt8]) -> ClusterRequest {
        ClusterRequest(
            method: request.method.rawValue, target: request.head.path ?? "", body: body,
            contentType: request.headers[.contentType] ?? "", accept: request.headers[.accept] ?? "",
            idempotencyKey: request.headers[.idempotencyKey] ?? "")
    }
}

extension ClusterIdentity {
    /// The caller, as a route of `tier` needs it. Throws 401 for another tier: then the nodes are of different versions.
    func identity(for tier: Route.Tier) throws -> Call.Identity {
        switch (tier, caller) {
        case (.none, _): return .anonymous
        case (.admin, .admin), (.apiKey, .tenant), (.device, .device): return caller
        default: throw APIError.invalidClusterAuthentication
        }
    }

    /// Throws 401 when the body is not the one that was signed.
    func check(body: [UInt8], of route: Route) throws {
        if case .none = route.body { return }
        guard constantTimeEquals(SHA256Digest.hash(body), bodyDigest) else {
            throw APIError.invalidClusterAuthentication
        }
    }
}

extension SessionDirectoryError {
    /// Nothing was done, and another node may do it.
    fileprivate var isMiss: Bool {
        switch self {
        case .elsewhere, .stopping, .unavailable: true
        case .unknownDevice: false
        }
    }
}

extension APIError {
    static let invalidClusterAuthentication = APIError(401, "auth_invalid", "Invalid cluster authentication").missed
    /// The node that ran the request is gone; what became of it is not known.
    static let ownerLost = APIError(504, "http_deadline", "The node that runs the device did not answer")

    /// Tells a forwarding node that nothing was done here.
    var missed: APIError {
        var error = self
        error.headers.append((ClusterForwarder.missHeader, "1"))
        return error
    }

    static func leaseElsewhere(for owner: DeviceOwner) -> APIError {
        var error = leaseElsewhere
        error.retryAfter = max(1, Int(owner.expiresIn.rounded(.up)))
        return error
    }
}
