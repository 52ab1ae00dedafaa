import Foundation
import HTTPTypes
import Tenancy

/// Headers that every answer carries (10-rest-api, section 2.4).
enum EdgeHeaders {
    static let base: HTTPFields = {
        var fields = HTTPFields()
        fields.reserveCapacity(20)
        fields[.contentType] = "application/json"
        fields[.apiSurface] = "native"
        fields[.xssProtection] = "1; mode=block"
        fields[.xContentTypeOptions] = "nosniff"
        fields[.frameOptions] = "SAMEORIGIN"
        fields[.referrerPolicy] = "no-referrer"
        fields[.embedderPolicy] = "require-corp"
        fields[.openerPolicy] = "same-origin"
        fields[.resourcePolicy] = "same-origin"
        fields[.originAgentCluster] = "?1"
        fields[.dnsPrefetchControl] = "off"
        fields[.downloadOptions] = "noopen"
        fields[.crossDomainPolicies] = "none"
        return fields
    }()
}

/// Cross-origin rules (10-rest-api, section 2.6).
struct CORSPolicy: Sendable {
    private static let methods = "GET,POST,PUT,PATCH,DELETE,HEAD"
    private static let allowedHeaders = """
        Origin, Content-Type, Accept, Authorization, X-API-Key, X-Admin-Secret, X-Request-ID, Idempotency-Key, \
        Cache-Control, X-Device-Id, X-API-Style
        """
    private static let exposedHeaders = """
        X-Request-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Cache, \
        X-Next-Cursor, X-API-Surface
        """

    private let allowsAll: Bool
    private let exact: Set<String>
    /// `https://*.example.com` as scheme with `://`, and `.example.com`.
    private let patterns: [(scheme: String, suffix: String)]

    /// - Parameter origins: Lower case, checked by the configuration.
    init(origins: [String]) {
        allowsAll = origins.contains("*")
        exact = Set(origins)
        patterns = origins.compactMap { origin in
            guard let star = origin.range(of: "://*") else { return nil }
            return (String(origin[..<star.lowerBound]) + "://", String(origin[star.upperBound...]))
        }
    }

    private func allowed(_ origin: String) -> String? {
        if allowsAll { return "*" }
        let lower = origin.lowercased()
        let isAllowed =
            exact.contains(lower)
            || patterns.contains { pattern in
                lower.hasPrefix(pattern.scheme) && lower.hasSuffix(pattern.suffix)
                    && lower.count > pattern.scheme.count + pattern.suffix.count
            }
        return isAllowed ? origin : nil
    }

    /// Whether an OPTIONS request is a preflight.
    static func isPreflight(_ headers: HTTPFields) -> Bool {
        headers[.origin] != nil && headers[.accessControlRequestMethod] != nil
    }

    /// Headers of an answer to a simple or actual request.
    func apply(to fields: inout HTTPFields, origin: String?) {
        if !allowsAll { fields[.vary] = "Origin" }
        guard let origin, let allowed = allowed(origin) else { return }
        fields[.accessControlAllowOrigin] = allowed
        fields[.accessControlExposeHeaders] = Self.exposedHeaders
    }

    /// Headers of the answer to a preflight.
    func applyPreflight(to fields: inout HTTPFields, origin: String?) {
        fields[.vary] = "Access-Control-Request-Method, Access-Control-Request-Headers, Origin"
        guard let origin, let allowed = allowed(origin) else { return }
        fields[.accessControlAllowOrigin] = allowed
        fields[.accessControlAllowMethods] = Self.methods
        fields[.accessControlAllowHeaders] = Self.allowedHeaders
        fields[.accessControlMaxAge] = "600"
    }
}

enum ContentSecurity {
    /// For pages of ours: own inline styles, images from data, nothing else.
    static let page =
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
}
