import AsyncHTTPClient
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Tenancy

/// Hands requests to the node that runs their device (14-storage, section 7.4).
///
/// One hop: a node never forwards what was forwarded to it. Which attempts may be repeated is for the caller to decide from
/// the outcome; nothing is repeated here.
final class ClusterForwarder: Sendable {
    enum Outcome: Sendable {
        case answer(Answer)
        /// The other node did not run it: it cannot be reached, or does not have the device.
        case notRun
        /// It may have run, or still be running.
        case unknown
    }

    /// Answer header of a node that did not run a forwarded request.
    static let missHeader = "X-Cluster-Miss"
    static let authenticationHeader = "X-Cluster-Auth"
    private static let unreachablePause = Duration.seconds(1)
    private static let ownerCheck = Duration.seconds(2)
    private static let maximumAnswer = 64 << 20
    /// Connections to one node: a send holds one for as long as WhatsApp takes to acknowledge it, a stream for as long as
    /// it is read.
    private static let maximumConnections = 1024
    /// Headers of an answer that this node writes itself.
    private static let ownHeaders: Set<String> = [
        "connection", "content-length", "content-type", "date", "transfer-encoding", "keep-alive", "x-request-id",
        "vary",
    ]

    private let client: HTTPClient
    private let signature: ClusterSignature
    private let sessions: any SessionDirectory
    private let logger: Logger
    private let unreachable = NIOLockedValueBox<[String: ContinuousClock.Instant]>([:])

    init(
        signature: ClusterSignature, sessions: any SessionDirectory, eventLoops: any EventLoopGroup, logger: Logger
    ) {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(1)
        configuration.connectionPool.idleTimeout = .seconds(30)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.maximumConnections
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .shared(eventLoops), configuration: configuration)
        self.signature = signature
        self.sessions = sessions
        self.logger = logger
    }

    func shutdown() async { try? await client.shutdown() }

    /// Sends `request` to `owner`, waiting at most `limit` and no longer than the device stays there.
    func send(
        _ request: ClusterRequest, identity: ClusterIdentity, to owner: DeviceOwner, limit: Duration
    ) async throws -> Outcome {
        if unreachable.withLockedValue({ $0[owner.url].map { $0 > .now } ?? false }) { return .notRun }
        let outcome = try await Race.run {
            await self.exchange(request, identity: identity, to: owner, limit: limit)
        } against: {
            try await self.waitUntilMoved(owner)
        }
        return outcome ?? .unknown
    }

    /// Returns when another node than `owner`, or none, has the device: its node may have been frozen or cut off.
    private func waitUntilMoved(_ owner: DeviceOwner) async throws {
        while true {
            try await Task.sleep(for: Self.ownerCheck)
            do {
                if try await sessions.owner(did: owner.did)?.nodeID != owner.nodeID { return }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                // The database is away: that says nothing about the owner.
            }
        }
    }

    private func exchange(
        _ request: ClusterRequest, identity: ClusterIdentity, to owner: DeviceOwner, limit: Duration
    ) async -> Outcome {
        guard let address = ForwardAddress(owner: owner.url, target: request.target) else {
            logger.warning("not an address to forward to", metadata: ["node": "\(owner.nodeID)"])
            return .notRun
        }
        var request = request
        request.target = address.target
        var message = HTTPClientRequest(url: address.url)
        message.method = HTTPMethod(rawValue: request.method)
        let time = Int64(Date().timeIntervalSince1970 * 1000)
        message.headers.add(
            name: Self.authenticationHeader,
            value: signature.sign(request, identity: identity, for: owner.nodeID, now: time))
        for (name, value) in [
            ("Content-Type", request.contentType), ("Accept", request.accept),
            ("Idempotency-Key", request.idempotencyKey),
        ] where !value.isEmpty {
            message.headers.add(name: name, value: value)
        }
        if !request.body.isEmpty { message.body = .bytes(ByteBuffer(bytes: request.body)) }
        do {
            let response = try await client.execute(message, deadline: .now() + TimeAmount(limit), logger: nil)
            if response.headers.contains(name: Self.missHeader) { return .notRun }
            return .answer(try await Self.answer(response))
        } catch {
            switch Self.failure(error) {
            case .crowded: return .notRun
            case .unreachable:
                unreachable.withLockedValue { $0[owner.url] = .now + Self.unreachablePause }
                return .notRun
            case .unknown: break
            }
            logger.info(
                "a forwarded request got no answer", metadata: ["node": "\(owner.nodeID)", "error": "\(error)"])
            return .unknown
        }
    }

    enum Failure: Equatable {
        /// No connection was free or made in time: nothing was sent, and the node may be well.
        case crowded
        /// No connection came about: nothing was sent.
        case unreachable
        /// The request may have left.
        case unknown
    }

    static func failure(_ error: any Error) -> Failure {
        switch error {
        case let error as HTTPClientError where error == .getConnectionFromPoolTimeout: .crowded
        case let error as HTTPClientError where error == .connectTimeout || error == .tlsHandshakeTimeout: .unreachable
        case is NIOConnectionError, is NIOSSLExtraError: .unreachable
        case NIOSSLError.handshakeFailed: .unreachable
        case let error as IOError where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode):
            .unreachable
        default: .unknown
        }
    }

    private static func answer(_ response: HTTPClientResponse) async throws -> Answer {
        let type = response.headers.first(name: "content-type") ?? ""
        var answer = Answer(status: Int(response.status.code), content: .none)
        if type.hasPrefix("text/event-stream") {
            answer.content = .stream(contentType: type) { send in
                for try await piece in response.body { try await send(piece) }
            }
        } else {
            let body = try await response.body.collect(upTo: maximumAnswer)
            answer.content = body.readableBytes == 0 ? .none : .body(body, contentType: type)
        }
        for (name, value) in response.headers where !ownHeaders.contains(name.lowercased()) {
            answer.headers.append((name, value))
        }
        return answer
    }
}
