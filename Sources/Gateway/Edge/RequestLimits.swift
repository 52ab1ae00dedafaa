import AdminAuth

/// Limits on how often may be asked (10-rest-api, section 2.9).
struct RequestLimits: Sendable {
    /// Token requests per client address.
    private let tokens = AttemptLimiter(limit: 10, seconds: 60)
    private let tenants: SlidingHour

    init(tenants: SlidingHour) { self.tenants = tenants }

    /// Counts a token request of `client`; nil on other routes.
    func checkBeforeAuthentication(_ route: Route, client: String, now: Int64) -> AttemptLimiter.Standing? {
        Self.countsTokens(route) ? tokens.count(client, now: now) : nil
    }

    /// Whether requests of the route are token requests, whose answers tell the limit.
    static func countsTokens(_ route: Route) -> Bool { route.path == "/devices/token" }

    /// Counts a request against its tenant's hour.
    func checkTenant(_ identity: Call.Identity, now: Int64) -> AttemptLimiter.Standing? {
        switch identity {
        case .anonymous, .admin: nil
        case .tenant(let tenant): tenants.count(tenant: tenant.id, limit: tenant.requestsPerHour, now: now)
        case .device(let device, let tenant):
            tenants.count(tenant: device.tenantID, limit: tenant.requestsPerHour, now: now)
        }
    }
}
