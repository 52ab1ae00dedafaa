import Cryptography
import Foundation
import NIOCore
import Storage

/// Makes the request of one delivery, signed, and reads the answer (11-webhooks, sections 3, 4 and 6.4).
package struct WebhookSender: Sendable {
    private let client: WebhookHTTPClient
    private let timeout: TimeAmount
    private let userAgent: String

    /// - Parameter timeout: `WEBHOOK_TIMEOUT`, from looking the name up to the answer's last byte.
    package init(client: WebhookHTTPClient, timeout: TimeAmount, version: String) {
        self.client = client
        self.timeout = timeout
        userAgent = "Switchboard-Webhooks/\(version)"
    }

    /// What the requests of a lane share.
    package struct Endpoint: Sendable {
        fileprivate let url: String
        fileprivate let secrets: [WebhookSignature.Secret]
        fileprivate let headers: [(String, String)]
        fileprivate let includesContent: Bool

        /// - Throws: `WebhookSecretError` for a secret that was stored broken.
        package init(_ lane: ClaimedLane) throws {
            url = lane.url
            secrets = try lane.secrets.map(WebhookSignature.Secret.init)
            headers = lane.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            includesContent = lane.includesContent
        }

        package init(_ webhook: WebhookRecord) throws {
            url = webhook.url
            secrets = try ([webhook.secret] + (webhook.previousSecret.map { [$0] } ?? []))
                .map(WebhookSignature.Secret.init)
            headers = webhook.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            includesContent = webhook.includesContent
        }
    }

    package func send(_ delivery: QueuedDelivery, to endpoint: Endpoint) async -> WebhookAttempt {
        guard let stored = delivery.body else {
            return WebhookAttempt(
                outcome: .failed(isOverloaded: false, retryAfter: nil), error: "the event's body is no longer kept",
                milliseconds: 0)
        }
        let body = DeliveryBody.make(stored, eventType: delivery.eventType, includesContent: endpoint.includesContent)
        let start = ContinuousClock.now
        func elapsed() -> Int {
            let passed = (ContinuousClock.now - start).components
            return Int(passed.seconds * 1000 + passed.attoseconds / 1_000_000_000_000_000)
        }
        do {
            let response = try await client.post(
                endpoint.url, headers: headers(delivery, body, endpoint), body: body, timeout: timeout)
            let isArrived = (200..<300).contains(response.status)
            return WebhookAttempt(
                outcome: Self.outcome(response), responseCode: response.status, responseHead: response.head,
                error: isArrived ? nil : "HTTP \(response.status)", milliseconds: elapsed())
        } catch let refusal as EgressGuard.Refusal {
            return WebhookAttempt(
                outcome: .failed(isOverloaded: false, retryAfter: nil), error: refusal.message, milliseconds: elapsed())
        } catch {
            let isTimeout = error as? WebhookTransportError == .timeout
            return WebhookAttempt(
                outcome: .failed(isOverloaded: isTimeout, retryAfter: nil), error: String("\(error)".prefix(512)),
                milliseconds: elapsed())
        }
    }

    private static func outcome(_ response: WebhookResponse) -> RetryPolicy.Outcome {
        switch response.status {
        case 200..<300: .delivered
        case 410: .gone
        case 429, 502, 503, 504: .failed(isOverloaded: true, retryAfter: response.retryAfter)
        default: .failed(isOverloaded: false, retryAfter: response.retryAfter)
        }
    }

    private func headers(_ delivery: QueuedDelivery, _ body: [UInt8], _ endpoint: Endpoint) -> [(String, String)] {
        let now = Int64(Date().timeIntervalSince1970)
        let signatures = WebhookSignature.standard(
            id: delivery.eventID, timestamp: now, body: body, secrets: endpoint.secrets)
        var headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", userAgent),
            ("X-Webhook-Event", delivery.eventType),
            ("webhook-id", delivery.eventID),
            ("webhook-timestamp", String(now)),
            ("webhook-signature", signatures),
            ("X-Webhook-Attempt", String(delivery.attempt)),
            // Names the line of the delivery log and the attempt in it.
            ("X-Request-ID", "\(delivery.id)-\(delivery.attempt)"),
        ]
        if let secret = endpoint.secrets.first {
            let signature = WebhookSignature.reference(body: body, secret: secret)
            headers += [("X-Webhook-Signature", signature), ("X-Hub-Signature-256", signature)]
        }
        if delivery.isReplay { headers.append(("X-Webhook-Replay", "1")) }
        return headers + endpoint.headers
    }
}
