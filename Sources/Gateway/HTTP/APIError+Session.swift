import AdminAuth
import Database
import Messaging
import Storage
import Tenancy
import Webhooks

extension APIError {
    /// The answer for what a device session failed with.
    init(_ error: SessionError) {
        self =
            switch error {
            case .notConnected, .stopping: .notConnected
            case .notLoggedIn: .notLoggedIn
            case .notPaired: .clientNotLoaded
            case .alreadyPaired: APIError(409, "already_paired", "WhatsApp Client is already paired")
            case .ended(let end): APIError(end)
            case .timedOut: .queryTimedOut
            case .disconnected: .queryDisconnected
            case .serverRefused(let code, let text): .queryRefused(code: code, text: text)
            case .malformedAnswer(let what):
                APIError(502, "wa_unavailable", "unexpected answer from WhatsApp: \(what)", reference: true)
            case .sendTimedOut(let id): .sendTimedOut(messageID: id)
            case .sendExpired(let id): .sendExpired(messageID: id)
            case .sendRejected(let code, let id): .sendRejected(code: code, messageID: id)
            case .recipientNotRegistered: .recipientNotRegistered
            case .recipientUnreachable:
                APIError(502, "recipient_unreachable", "no device of the recipient could be reached", reference: true)
            case .invalidRecipient(let text):
                APIError(400, "invalid_recipient", "invalid JID format: \(text)", field: "chat_jid")
            case .messageIDInUse: .validation("message_id is in use by a send under way", field: "message_id")
            case .senderRequired: .validation("sender_jid must be the author, in a group", field: "sender_jid")
            case .messageNotStored: .messageNotStored
            case .notInGroup: APIError(403, "not_in_group", "you're not participating in that group", reference: true)
            case .groupNotFound: APIError(404, "group_not_found", "that group does not exist", reference: true)
            case .tooManyWaiting: .tooManyRequests("too many sends are waiting on this device", retryAfter: 1)
            case .queueFull: .queueFull
            case .storageUnavailable: .databaseUnavailable
            case .invalidPhone(let text): APIError(400, "validation_error", text, field: "phone")
            case .invalidCode: APIError(422, "pairing_code_invalid", "pairing code was not accepted", reference: true)
            case .displayOrNumberRejected:
                APIError(
                    422, "wa_rejected", "info query returned status 400: bad-request", reference: true,
                    whatsAppCode: 400)
            case .rateLimited(let retryAfter):
                APIError(
                    429, "wa_rate_limited", "info query returned status 429: rate-overlimit", reference: true,
                    retryAfter: retryAfter, whatsAppCode: 429)
            case .pairingTimedOut: APIError(504, "wa_timeout", "whatsapp qr channel timed out", reference: true)
            case .pairingInterrupted:
                APIError(
                    502, "wa_disconnected", "whatsapp qr channel closed before delivering a code", reference: true)
            case .pairingRejected:
                APIError(403, "pairing_rejected", "this number may not be linked here", reference: true)
            case .pairingForged:
                APIError(
                    502, "pairing_failed", "whatsapp qr channel entered an unexpected state", reference: true)
            case .clientOutdated: .clientOutdated
            case .passkeyRequired:
                APIError(
                    409, "passkey_required", "WhatsApp demands a passkey: see /devices/me/passkey", reference: true)
            case .passkeyNotPending:
                APIError(409, "passkey_not_pending", "No passkey challenge is pending", reference: true)
            case .invalidAssertion: .validation("rawId: must be base64url", field: "rawId")
            case .assertionRefused:
                APIError(
                    422, "wa_rejected", "WhatsApp did not accept the passkey assertion", reference: true,
                    whatsAppCode: 400)
            case .scannedWithoutMultidevice:
                APIError(502, "pairing_failed", "whatsapp qr scanned without multi-device enabled", reference: true)
            }
    }

    init(_ end: SessionEnd) {
        self =
            switch end {
            case .loggedOut, .unlinked: .clientNotLoaded
            case .replaced: .streamReplaced
            case .banned(_, let until): .banned(until: until)
            case .clientOutdated: .clientOutdated
            case .refused(let code, let text): .loginRefused(code: code, text: text)
            case .leaseLost: .leaseElsewhere
            case .storage: .databaseUnavailable
            }
    }

    /// The answer for anything a handler may throw.
    init(any error: any Error) {
        self =
            switch error {
            case let error as APIError: error
            case let error as SessionError: APIError(error)
            case let error as SessionDirectoryError: APIError(error)
            case let error as TenancyError: APIError(error)
            case let error as WebhookError: APIError(error)
            case let error as DatabaseError where error.isUnavailability: .databaseUnavailable
            case is StoreError: .databaseUnavailable
            case is CancellationError: .deadline
            default: .internalError
            }
    }

    init(_ error: SessionDirectoryError) {
        self =
            switch error {
            case .elsewhere(let owner): .leaseElsewhere(for: owner)
            case .unavailable(let retryAfter):
                APIError(
                    503, "not_connected", "WhatsApp Client is not Connected", reference: true, retryAfter: retryAfter)
            case .unknownDevice: .notFound("Device not found")
            case .stopping: .shuttingDown
            }
    }

    init(_ error: TenancyError) {
        self =
            switch error {
            case .tenantNotFound: .notFound("API key not found")
            case .deviceNotFound: .notFound("Device not found")
            case .inactive: .inactiveAPIKey
            case .deviceLimitReached: APIError(400, "device_limit_reached", "Device limit reached")
            case .externalIDTaken: APIError(409, "external_id_taken", "external_id is already used")
            case .idempotencyKeyReused: .idempotencyKeyReused
            case .invalidCredentials: .invalidDeviceCredentials
            case .tooManyAttempts(let seconds): .tooManyRequests(retryAfter: seconds)
            }
    }

    init(_ error: WebhookError) {
        self =
            switch error {
            case .notFound, .eventNotFound: .notFound(error.message)
            case .inactive: APIError(409, "webhook_inactive", error.message)
            case .limitReached(let limit):
                APIError(
                    400, "webhook_limit_reached", error.message,
                    hint: "A device may have \(limit) webhooks: delete one, or change one with PATCH.")
            case .urlRequired: .validation(error.message, field: "url")
            case .url(let refusal): .validation(error.message, field: "url", hint: Self.hint(refusal))
            case .unknownEvent:
                .validation(
                    error.message, field: "events",
                    hint: "GET /webhook-events lists the names; message.* is all that begin with message.")
            case .tooManyEvents: .validation(error.message, field: "events")
            case .secret: .validation(error.message, field: "secret")
            case .header: .validation(error.message, field: "headers")
            case .description: .validation(error.message, field: "description")
            case .replay: .validation(error.message, field: "event_ids")
            }
    }

    private static func hint(_ refusal: EgressGuard.Refusal) -> String? {
        switch refusal {
        case .malformed:
            "https://host/path of at most 2048 characters, without a user name; port 443, 8443, or 1024 and above, with http also 80"
        case .privateAddress: "The operator may let networks in with EGRESS_ALLOW_CIDRS."
        case .scheme: "The operator may let HTTP in with WEBHOOK_ALLOW_HTTP."
        case .schemeBesideHTTP, .unresolvable: nil
        }
    }
}

extension APIError {
    /// The answer for a request that was not let in.
    init(_ error: AuthenticationError, tier: Route.Tier) {
        self =
            switch error {
            case .missingAdminSecret: .missing(header: "X-Admin-Secret")
            case .missingAPIKey: .missing(header: "X-API-Key")
            case .missingAuthorization: .missing(header: "Authorization")
            case .missingToken: .missingToken
            case .invalidAdminSecret: .invalidAdminSecret
            case .invalidAPIKey: .invalidAPIKey
            case .invalidAuthorization: .invalidAuthorization
            case .invalidToken: .invalidToken
            case .inactiveTenant: .inactiveAPIKey
            case .revokedToken: .revokedToken
            case .unknownDevice: .unknownDeviceToken
            case .tooManyFailures(let seconds):
                .tooManyRequests(
                    "Too many wrong credentials from this address: right ones are refused too for \(seconds) s",
                    retryAfter: seconds)
            case .stale: .staleDirectory
            }
        if tier == .device, status == 401 { headers.append(("WWW-Authenticate", #"Bearer realm="switchboard""#)) }
    }

    /// 429 of the token endpoint: clients compare it as a whole (10-rest-api, section 27).
    static func tooManyTokenRequests(_ standing: AttemptLimiter.Standing) -> APIError {
        var error = tooManyRequests(retryAfter: standing.resetAfter)
        error.isBare = true
        return error
    }
}
