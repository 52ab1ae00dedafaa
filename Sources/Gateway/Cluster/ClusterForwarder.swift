import AsyncHTTPClient
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
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
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
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
        let outcome = try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask { await self.exchange(request, identity: identity, to: owner, limit: limit) }
            group.addTask {
                try await self.waitUntilMoved(owner)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
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
        var message = HTTPClientRequest(url: owner.url + request.target)
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
            if Self.wasNeverSent(error) {
                unreachable.withLockedValue { $0[owner.url] = .now + Self.unreachablePause }
                return .notRun
            }
            logger.info(
                "a forwarded request got no answer", metadata: ["node": "\(owner.nodeID)", "error": "\(error)"])
            return .unknown
        }
    }

    private static func wasNeverSent(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError where error == .connectTimeout: true
        case is NIOConnectionError: true
        case let error as IOError: error.errnoCode == ECONNREFUSED || error.errnoCode == EHOSTUNREACH
        default: false
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

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        let parts = duration.components
        self = .nanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
    }
}
