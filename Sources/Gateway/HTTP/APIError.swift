import Messaging

/// A failure as the API answers it: one status, one stable word, one sentence (10-rest-api, section 5).
struct APIError: Error, Sendable {
    /// HTTP status in the strict mode.
    var status: Int
    /// Stable machine word, `data.error_code`.
    var code: String
    var message: String
    /// Marked R in the catalogue: the reference answers 500 with the same text.
    var isServerErrorInReference = false
    /// Seconds; also sent as `Retry-After`.
    var retryAfter: Int?
    /// The member of the body, or the parameter, path part or header, that it is about.
    var field: String?
    /// What to do, where the message, whose words are fixed, does not say; `data.hint`.
    var hint: String?
    /// Number WhatsApp's servers gave.
    var whatsAppCode: Int?
    /// Further members of `data`.
    var details: [(key: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    /// Without `data`: for answers that clients compare as a whole.
    var isBare = false

    init(
        _ status: Int, _ code: String, _ message: String, reference: Bool = false, retryAfter: Int? = nil,
        field: String? = nil, hint: String? = nil, whatsAppCode: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        isServerErrorInReference = reference
        self.retryAfter = retryAfter
        self.field = field
        self.hint = hint
        self.whatsAppCode = whatsAppCode
    }
}

// MARK: Authentication and parsing (5.2)

extension APIError {
    static func missing(header name: String) -> APIError { APIError(401, "auth_missing", "Missing \(name) header") }
    static let missingToken = APIError(401, "auth_missing", "Missing token")
    static let invalidAdminSecret = APIError(401, "auth_invalid", "Invalid admin secret")
    static let invalidAPIKey = APIError(401, "auth_invalid", "Invalid API key")
    static let invalidAuthorization = APIError(
        401, "auth_invalid", "Invalid Authorization header format. Use: Bearer <token>")
    /// The same whatever is wrong with the token, so that nobody learns from it what would be right.
    static let invalidToken = APIError(
        401, "auth_invalid", "Invalid or expired token",
        hint:
            "This gateway did not make this token, or with a key that it no longer has, or it is cut off. Its tokens do "
            + "not expire: take the one of POST /devices, or POST /devices/{device_id}/token for another.")
    static let invalidDeviceCredentials = APIError(401, "auth_invalid", "Invalid device credentials")
    static let inactiveAPIKey = APIError(401, "api_key_inactive", "API key is inactive")
    static let revokedToken = APIError(
        401, "token_revoked", "Token has been revoked. Please regenerate a new token.")
    static let unknownDeviceToken = APIError(401, "device_unknown", "Device not found")
    static let staleDirectory = APIError(
        503, "http_unavailable", "Authentication is temporarily unavailable", retryAfter: 5)

    /// - Parameter field: The member, parameter or header that is wrong, by its documented name.
    static func validation(_ message: String, field: String, hint: String? = nil) -> APIError {
        APIError(400, "validation_error", message, field: field, hint: hint)
    }

    static func notFound(_ message: String) -> APIError { APIError(404, "not_found", message) }
}

// MARK: HTTP (section 2)

extension APIError {
    static let methodNotAllowed = APIError(405, "http_method_not_allowed", "Method Not Allowed")
    static let requestTimeout = APIError(408, "http_timeout", "Request Timeout")
    static let bodyTooLarge = APIError(413, "http_body_too_large", "Request Entity Too Large")
    static let upgradeRequired: APIError = {
        var error = APIError(426, "upgrade_required", "Upgrade Required")
        error.headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
        return error
    }()
    static let unsupportedMediaType = APIError(415, "http_unsupported_media_type", "Unsupported Media Type")
    static let headersTooLarge = APIError(431, "http_headers_too_large", "Request Header Fields Too Large")
    static let badRequest = APIError(400, "http_bad_request", "Bad Request")
    static let internalError = APIError(500, "internal_error", "Internal Server Error")
    static let deadline = APIError(504, "http_deadline", "Gateway Timeout")
    static let shuttingDown = APIError(503, "http_unavailable", "shutting down", retryAfter: 5)
    static let idempotencyKeyReused = APIError(409, "idempotency_key_reused", "idempotency key reused")
    static let databaseUnavailable = APIError(
        503, "database_unavailable", "Database is temporarily unavailable", retryAfter: 5)

    static func tooManyRequests(_ message: String = "Too many requests", retryAfter: Int) -> APIError {
        APIError(429, "http_rate_limited", message, retryAfter: retryAfter)
    }
}

// MARK: State of the session (5.3)

extension APIError {
    static let clientNotLoaded = APIError(409, "client_not_loaded", "WhatsApp Client is not Valid", reference: true)
    static let notConnected = APIError(
        503, "not_connected", "WhatsApp Client is not Connected", reference: true, retryAfter: 5)
    static let notLoggedIn = APIError(409, "not_logged_in", "WhatsApp Client is not Logged In", reference: true)
    static let sessionEmpty = APIError(
        409, "session_empty", "WhatsApp Client Store ID is Empty, Please Re-Login and Scan QR Code Again",
        reference: true)
    static let leaseElsewhere = APIError(
        503, "lease_elsewhere", "Device is being moved to another node", reference: true, retryAfter: 5)
    static let streamReplaced = APIError(409, "stream_replaced", "Session was opened elsewhere", reference: true)
    static let clientOutdated = APIError(
        503, "client_outdated", "WhatsApp client version is outdated", reference: true, retryAfter: 60)

    static func banned(until: Timestamp?) -> APIError {
        var error = APIError(403, "temporarily_banned", "Account is temporarily banned", reference: true)
        if let until { error.details.append(("until", until.rfc3339)) }
        return error
    }
}

// MARK: Answers of WhatsApp (5.4)

extension APIError {
    static let recipientNotRegistered = APIError(
        404, "recipient_not_registered", "WhatsApp Personal ID is Not Registered", reference: true)
    static let queryTimedOut = APIError(504, "wa_timeout", "info query timed out", reference: true)
    static let queryDisconnected = APIError(
        503, "wa_disconnected", "websocket disconnected before info query returned response", reference: true,
        retryAfter: 5)

    static func sendTimedOut(messageID: String) -> APIError {
        var error = APIError(504, "wa_timeout", "timed out waiting for message send response", reference: true)
        error.details.append(("message_id", messageID))
        return error
    }

    static func sendExpired(messageID: String) -> APIError {
        var error = APIError(504, "send_expired", "message was not sent within its time")
        error.details.append(("message_id", messageID))
        return error
    }

    static let queueFull = APIError(503, "queue_full", "too many messages are queued on this device", retryAfter: 10)
    static let messageNotStored = APIError(404, "message_not_stored", "message not found in store", reference: true)

    static func sendRejected(code: Int, messageID: String) -> APIError {
        let status =
            switch code {
            case 421, 463, 479: 422
            case 429: 429
            default: 502
            }
        var error = APIError(
            status, "wa_send_rejected", "server returned error \(code)", reference: true, whatsAppCode: code)
        error.details.append(("message_id", messageID))
        return error
    }

    /// 401, 403 and 406 speak of the account; the other codes of what stands between.
    static func loginRefused(code: Int, text: String) -> APIError {
        let isForbidden = [401, 403, 406].contains(code)
        return APIError(
            isForbidden ? 403 : 502, isForbidden ? "wa_forbidden" : "wa_unavailable",
            "login refused with \(code): \(text)", reference: true, whatsAppCode: code)
    }

    static func queryRefused(code: Int, text: String) -> APIError {
        let (status, word) =
            switch code {
            case 400, 406, 419: (422, "wa_rejected")
            case 401, 403, 405: (403, "wa_forbidden")
            case 404: (404, "wa_not_found")
            case 409: (409, "wa_conflict")
            case 410: (410, "wa_gone")
            case 423: (423, "wa_locked")
            case 429: (429, "wa_rate_limited")
            default: (502, "wa_unavailable")
            }
        return APIError(
            status, word, "info query returned status \(code): \(text)", reference: true, whatsAppCode: code)
    }
}
