import Cryptography
import Foundation
import NIOCore
import Storage

/// Why a webhook request was refused; the words of `message` are the API's.
package enum WebhookError: Error, Equatable {
    case urlRequired
    case url(EgressGuard.Refusal)
    case unknownEvent(String)
    case tooManyEvents
    case secret(WebhookSecretError)
    case header(String)
    /// A description that is too long, or holds what is no text.
    case description
    /// The device has `limit` webhooks already.
    case limitReached(Int)
    case notFound
    /// Nothing is sent to a webhook that is off.
    case inactive
    case eventNotFound
    /// A replay that names neither events nor a time, or too many events.
    case replay(String)

    package var message: String {
        switch self {
        case .urlRequired: "url is required"
        case .url(let refusal): refusal.message
        case .unknownEvent(let name): "unknown event type: \(name)"
        case .tooManyEvents: "events must be at most \(WebhookService.eventNameLimit)"
        case .secret(.length): "secret must be 16 to 64 bytes, or whsec_ followed by 24 to 64 bytes of base64"
        case .secret(.notBase64): "secret begins with whsec_ but the rest is not base64"
        case .header(let reason): reason
        case .description: "description must be at most \(WebhookService.descriptionLimit) characters of text"
        case .limitReached: "webhook limit reached"
        case .notFound: "webhook not found"
        case .inactive: "webhook is not active"
        case .eventNotFound: "webhook event not found"
        case .replay(let reason): reason
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

/// The subscriptions of devices: what may be subscribed, and to where; their log, tests and replays (11-webhooks,
/// sections 1, 7 and 8).
package struct WebhookService: Sendable {
    let repository: WebhookRepository
    let dispatcher: WebhookDispatcher
    let sender: WebhookSender
    private let egress: EgressGuard
    private let maximumPerDevice: Int
    let nodeID: UUID
    package let streams: EventStreams

    /// - Parameter maximumPerDevice: `WEBHOOK_MAX_PER_DEVICE`.
    package init(
        repository: WebhookRepository, dispatcher: WebhookDispatcher, sender: WebhookSender, streams: EventStreams,
        egress: EgressGuard, maximumPerDevice: Int, nodeID: UUID
    ) {
        self.repository = repository
        self.dispatcher = dispatcher
        self.sender = sender
        self.streams = streams
        self.egress = egress
        self.maximumPerDevice = maximumPerDevice
        self.nodeID = nodeID
    }

    /// Newest first.
    package func list(
        tenant: Int64, did: Int64, limit: Int = 1000, before: ListPosition? = nil
    ) async throws -> [WebhookRecord] {
        try await repository.list(tenant: tenant, did: did, limit: limit, before: before)
    }

    package func find(_ id: Int64, tenant: Int64, did: Int64) async throws -> WebhookRecord {
        guard let webhook = try await repository.find(id, tenant: tenant, did: did) else { throw WebhookError.notFound }
        return webhook
    }

    /// - Throws: `WebhookError`; the limit is exact also among concurrent calls.
    package func create(_ new: NewWebhook, tenant: Int64, did: Int64) async throws -> WebhookRecord {
        guard !new.url.isEmpty else { throw WebhookError.urlRequired }
        try check(url: new.url, events: new.events, headers: new.headers, description: new.description)
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
        try check(
            url: change.url, events: change.events ?? [], headers: change.headers ?? [:],
            description: change.description ?? "")
        guard let updated = try await repository.update(id, change, tenant: tenant, did: did) else {
            throw WebhookError.notFound
        }
        if change.isActive == true { dispatcher.wake(ReadyWebhook(id: id, tenantID: tenant)) }
        return updated
    }

    package func delete(_ id: Int64, tenant: Int64, did: Int64) async throws {
        guard try await repository.delete(id, tenant: tenant, did: did) else { throw WebhookError.notFound }
    }

    /// Gives the webhook another secret; the one before goes on signing beside it for `grace` seconds, at most a week.
    package func rotateSecret(
        _ id: Int64, to secret: String?, grace: Int64, tenant: Int64, did: Int64
    ) async throws -> WebhookRecord {
        let secret = secret ?? WebhookSignature.Secret.generate()
        try check(secret: secret)
        let rotated = try await repository.rotateSecret(
            id, to: secret, grace: min(max(0, grace), Self.maximumGrace), tenant: tenant, did: did)
        guard let rotated else { throw WebhookError.notFound }
        return rotated
    }

    /// Seconds the old secret signs when the call does not say, and at most.
    package static let defaultGrace: Int64 = 86_400
    package static let maximumGrace: Int64 = 604_800

    /// Event names of one list: more than there are events.
    package static let eventNameLimit = 256
    /// Headers of one webhook's own.
    package static let headerLimit = 10
    /// Characters.
    package static let descriptionLimit = 500

    private func check(
        url: String?, events: [String], headers: [String: String], description: String
    ) throws(WebhookError) {
        if let url {
            do { _ = try egress.target(of: url) } catch { throw .url(error) }
        }
        guard description.count <= Self.descriptionLimit, !description.utf8.contains(0) else { throw .description }
        guard events.count <= Self.eventNameLimit else { throw .tooManyEvents }
        if let unknown = events.first(where: { !WebhookEventCatalogue.accepts(pattern: $0) }) {
            throw .unknownEvent(unknown)
        }
        guard headers.count <= Self.headerLimit,
            headers.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) <= 4096
        else {
            throw .header("headers: at most \(Self.headerLimit) of 4096 bytes together")
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
