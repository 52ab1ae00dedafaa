import Cryptography
import Foundation
import NIOCore
import Storage

/// Why a webhook request was refused; the words of `message` are the API's.
package enum WebhookError: Error, Equatable {
    case urlRequired
    case url(EgressGuard.Refusal)
    case unknownEvent(String)
    case secret(WebhookSecretError)
    case header(String)
    /// The device has `limit` webhooks already.
    case limitReached(Int)
    case notFound

    package var message: String {
        switch self {
        case .urlRequired: "url is required"
        case .url(let refusal): refusal.message
        case .unknownEvent(let name): "unknown event type: \(name)"
        case .secret(.length): "secret must be 16 to 64 bytes, or whsec_ followed by 24 to 64 bytes of base64"
        case .secret(.notBase64): "secret begins with whsec_ but the rest is not base64"
        case .header(let reason): reason
        case .limitReached: "webhook limit reached"
        case .notFound: "webhook not found"
        }
    }
}

/// A webhook of one device, as a customer asks for it.
package struct NewWebhook: Sendable {
    package var url: String
    package var secret: String?
    package var events: [String]
    package var ordering: WebhookRecord.Ordering
    package var includesContent: Bool
    package var headers: [String: String]
    package var description: String

    package init(
        url: String, secret: String? = nil, events: [String] = [], ordering: WebhookRecord.Ordering = .device,
        includesContent: Bool = true, headers: [String: String] = [:], description: String = ""
    ) {
        self.url = url
        self.secret = secret
        self.events = events
        self.ordering = ordering
        self.includesContent = includesContent
        self.headers = headers
        self.description = description
    }
}

/// What a test delivery came to.
package struct WebhookTestResult: Sendable, Equatable {
    package let isDelivered: Bool
    package let responseCode: Int?
    package let durationMilliseconds: Int
    package let error: String?
}

/// The subscriptions of devices: what may be subscribed, and to where (11-webhooks, sections 1, 7 and 8).
package struct WebhookService: Sendable {
    private let repository: WebhookRepository
    private let dispatcher: WebhookDispatcher
    private let egress: EgressGuard
    private let maximumPerDevice: Int
    private let nodeID: UUID

    /// - Parameter maximumPerDevice: `WEBHOOK_MAX_PER_DEVICE`.
    package init(
        repository: WebhookRepository, dispatcher: WebhookDispatcher, egress: EgressGuard, maximumPerDevice: Int,
        nodeID: UUID
    ) {
        self.repository = repository
        self.dispatcher = dispatcher
        self.egress = egress
        self.maximumPerDevice = maximumPerDevice
        self.nodeID = nodeID
    }

    package func list(tenant: Int64, did: Int64) async throws -> [WebhookRecord] {
        try await repository.list(tenant: tenant, did: did)
    }

    package func find(_ id: Int64, tenant: Int64, did: Int64) async throws -> WebhookRecord {
        guard let webhook = try await repository.find(id, tenant: tenant, did: did) else { throw WebhookError.notFound }
        return webhook
    }

    /// - Throws: `WebhookError`; the limit is exact also among concurrent calls.
    package func create(_ new: NewWebhook, tenant: Int64, did: Int64) async throws -> WebhookRecord {
        guard !new.url.isEmpty else { throw WebhookError.urlRequired }
        try check(url: new.url, events: new.events, headers: new.headers)
        let secret = new.secret ?? WebhookSignature.Secret.generate()
        try check(secret: secret)
        let change = WebhookChange(
            url: new.url, events: new.events, ordering: new.ordering, includesContent: new.includesContent,
            headers: new.headers, description: new.description)
        let created = try await repository.insert(
            change, secret: secret, tenant: tenant, did: did, limit: maximumPerDevice)
        guard let created else { throw WebhookError.limitReached(maximumPerDevice) }
        return created
    }

    /// Changes what `change` names and leaves the rest.
    package func update(_ id: Int64, _ change: WebhookChange, tenant: Int64, did: Int64) async throws -> WebhookRecord {
        if let url = change.url, url.isEmpty { throw WebhookError.urlRequired }
        try check(url: change.url, events: change.events ?? [], headers: change.headers ?? [:])
        guard let updated = try await repository.update(id, change, tenant: tenant, did: did) else {
            throw WebhookError.notFound
        }
        if change.isActive == true { dispatcher.wake() }
        return updated
    }

    package func delete(_ id: Int64, tenant: Int64, did: Int64) async throws {
        guard try await repository.delete(id, tenant: tenant, did: did) else { throw WebhookError.notFound }
    }

    /// Newest first.
    package func logs(
        _ id: Int64, tenant: Int64, did: Int64, state: String? = nil, event: String? = nil, since: Date? = nil,
        limit: Int = 100, offset: Int = 0
    ) async throws -> [DeliveryLogEntry] {
        _ = try await find(id, tenant: tenant, did: did)
        return try await repository.logs(
            id, tenant: tenant, did: did, state: state, event: event, since: since, limit: limit, offset: offset)
    }

    package func statistics() async throws -> WebhookStatistics { try await repository.statistics() }

    /// Sends `test.ping` to this webhook, whatever its filter and state: one attempt, logged as a test.
    package func test(_ id: Int64, tenant: Int64, did: Int64, deviceID: UUID) async throws -> WebhookTestResult {
        let webhook = try await find(id, tenant: tenant, did: did)
        let eventID = EventID.generate()
        let body = try Self.testBody(eventID: eventID, deviceID: deviceID)
        let claimed = try await repository.insertTest(webhook, eventID: eventID, body: body, node: nodeID)
        let (outcome, response, error, duration) = await dispatcher.send(claimed)
        let isDelivered = outcome == .delivered
        try await repository.finish(
            claimed, node: nodeID,
            DeliveryResult(
                state: isDelivered ? .success : .failed, responseCode: response?.status, durationMilliseconds: duration,
                error: error, responseHead: response?.head))
        return WebhookTestResult(
            isDelivered: isDelivered, responseCode: response?.status, durationMilliseconds: duration, error: error)
    }

    private static func testBody(eventID: String, deviceID: UUID) throws -> [UInt8] {
        struct Ping: Encodable {
            let eventType = "test.ping"
            let eventID: String
            let deviceID: String
            let timestamp: String
            let data = ["message": "test webhook delivery"]

            enum CodingKeys: String, CodingKey {
                case eventType = "event_type"
                case eventID = "event_id"
                case deviceID = "device_id"
                case timestamp, data
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let ping = Ping(
            eventID: eventID, deviceID: deviceID.uuidString.lowercased(),
            timestamp: Date().formatted(.iso8601.time(includingFractionalSeconds: true)))
        return [UInt8](try encoder.encode(ping))
    }

    private func check(url: String?, events: [String], headers: [String: String]) throws(WebhookError) {
        if let url {
            do { _ = try egress.target(of: url) } catch { throw .url(error) }
        }
        if let unknown = events.first(where: { !WebhookEventCatalogue.accepts(pattern: $0) }) {
            throw .unknownEvent(unknown)
        }
        guard headers.count <= 10, headers.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) <= 4096 else {
            throw .header("headers: at most 10 of 4096 bytes together")
        }
        for (name, value) in headers { try Self.check(header: name, value) }
    }

    private func check(secret: String) throws(WebhookError) {
        do {
            _ = try WebhookSignature.Secret(secret)
        } catch let error as WebhookSecretError {
            throw .secret(error)
        } catch {
            throw .secret(.notBase64)
        }
    }

    private static func check(header name: String, _ value: String) throws(WebhookError) {
        let lower = name.lowercased()
        let isToken =
            !lower.isEmpty
            && lower.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || "-_.!#$&'*+^`|~%".utf8.contains(byte)
            }
        guard isToken, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw .header("headers: \(name.prefix(64)) is not a valid header")
        }
        let isReserved =
            ["host", "connection", "user-agent", "transfer-encoding"].contains(lower)
            || ["content-", "webhook-", "x-webhook-", "x-hub-"].contains { lower.hasPrefix($0) }
        guard !isReserved else { throw .header("headers: \(name) is set by the gateway") }
    }
}
