/// Why a request about tenants or devices was refused; the API's words are the Gateway's.
package enum TenancyError: Error, Sendable, Equatable {
    case tenantNotFound
    case deviceNotFound
    /// The tenant is switched off.
    case inactive
    case deviceLimitReached
    /// Another device of the tenant has this `external_id`.
    case externalIDTaken
    /// The idempotency key was used for another request.
    case idempotencyKeyReused
    /// Wrong pair of device id and secret, or an unknown device.
    case invalidCredentials
    /// Too many wrong secrets for one device; seconds until the next try.
    case tooManyAttempts(retryAfter: Int)
}
