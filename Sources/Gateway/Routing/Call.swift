import AdminAuth
import Logging
import Tenancy

/// One request on its way to its handler: authenticated, its path, query and body taken apart.
struct Call: Sendable {
    enum Identity: Sendable {
        case anonymous
        case admin
        case tenant(KnownTenant)
        case device(KnownDevice, KnownTenant)

        /// Whether a valid credential was shown.
        var isProven: Bool {
            if case .anonymous = self { false } else { true }
        }
    }

    let route: Route
    let parameters: PathParameters
    let query: Query
    let body: BodyFields
    let identity: Identity
    let requestID: String
    /// Address the request came from, after trusted proxies.
    let client: String
    let accept: String
    /// `Idempotency-Key`, when sent.
    let idempotencyKey: String?
    /// SHA-256 over method, path and body, made only with an idempotency key.
    let fingerprint: [UInt8]
    /// `Last-Event-ID`, which streams go on from.
    let lastEventID: String?
    /// Set when the request asks for a WebSocket.
    let webSocket: WebSocketHandshake?
    let logger: Logger

    /// The calling device. Only routes of the device tier may ask.
    var device: KnownDevice {
        guard case .device(let device, _) = identity else {
            preconditionFailure("\(route.name) is not of the device tier")
        }
        return device
    }

    /// The calling tenant. Only routes of the API-key tier may ask.
    var tenant: KnownTenant {
        guard case .tenant(let tenant) = identity else {
            preconditionFailure("\(route.name) is not of the tenant tier")
        }
        return tenant
    }

    /// Who did it, for the audit log.
    var origin: AuditOrigin { AuditOrigin(client: client, requestID: requestID) }
}
