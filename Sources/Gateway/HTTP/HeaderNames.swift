import HTTPTypes

/// Header names that HTTPTypes does not define. The texts are valid names.
extension HTTPField.Name {
    private static func known(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is no header name") }
        return name
    }

    static let adminSecret = known("X-Admin-Secret")
    static let apiKey = known("X-API-Key")
    static let requestID = known("X-Request-ID")
    static let apiSurface = known("X-API-Surface")
    static let idempotencyKey = known("Idempotency-Key")
    static let clusterAuthentication = known(ClusterForwarder.authenticationHeader)
    static let lastEventID = known("Last-Event-ID")
    static let forwardedFor = known("X-Forwarded-For")
    static let realIP = known("X-Real-IP")
    static let rateLimitLimit = known("X-RateLimit-Limit")
    static let rateLimitRemaining = known("X-RateLimit-Remaining")
    static let rateLimitReset = known("X-RateLimit-Reset")
    static let xssProtection = known("X-XSS-Protection")
    static let frameOptions = known("X-Frame-Options")
    static let referrerPolicy = known("Referrer-Policy")
    static let embedderPolicy = known("Cross-Origin-Embedder-Policy")
    static let openerPolicy = known("Cross-Origin-Opener-Policy")
    static let resourcePolicy = known("Cross-Origin-Resource-Policy")
    static let originAgentCluster = known("Origin-Agent-Cluster")
    static let dnsPrefetchControl = known("X-DNS-Prefetch-Control")
    static let downloadOptions = known("X-Download-Options")
    static let crossDomainPolicies = known("X-Permitted-Cross-Domain-Policies")
}
