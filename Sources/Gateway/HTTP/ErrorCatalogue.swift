/// Every failure the API can answer, by its stable word in `data.error_code` (10-rest-api, section 5). `docs/errors.md` and
/// the API description are made from it, and a test finds words that code uses and that do not stand here.
package struct ErrorCatalogue {
    struct Entry: Sendable {
        let word: String
        /// HTTP statuses it comes with.
        let statuses: [Int]
        /// A message it comes with.
        let message: String
        /// What happened, and what a caller can do.
        let meaning: String

        init(_ word: String, _ statuses: Int..., message: String, _ meaning: String) {
            self.word = word
            self.statuses = statuses
            self.message = message
            self.meaning = meaning
        }
    }

    static let all: [Entry] = credentials + requests + http + session + whatsApp + messages

    static func entry(_ word: String) -> Entry? { byWord[word] }

    static func entries(status: Int) -> [Entry] { all.filter { $0.statuses.contains(status) } }

    private static let byWord = Dictionary(all.map { ($0.word, $0) }) { first, _ in first }
}

extension ErrorCatalogue {
    private static let credentials = [
        Entry(
            "auth_missing", 401, message: "Missing Authorization header",
            "The credential's header is absent: `X-Admin-Secret`, `X-API-Key` or `Authorization`."),
        Entry(
            "auth_invalid", 401, message: "Invalid or expired token",
            "The credential is wrong or malformed. Failures count: after twenty in a minute from one address, that address gets 429 until `Retry-After`, whatever it shows."
        ),
        Entry(
            "api_key_inactive", 401, message: "API key is inactive",
            "The operator disabled the API key; its key and the tokens of its devices do not work meanwhile."),
        Entry(
            "token_revoked", 401, message: "Token has been revoked. Please regenerate a new token.",
            "A newer token exists for the device. Get one with `POST /devices/token`."),
        Entry("device_unknown", 401, message: "Device not found", "The device of the token was deleted."),
    ]

    private static let requests = [
        Entry(
            "invalid_body", 400, message: "Failed parse body request",
            "The body is no JSON object or form, or the member in `data.field` is not what `data.expected` says."),
        Entry(
            "validation_error", 400, message: "text is required",
            "A parameter or member is missing or has a value that is not allowed; `data.field` names it."),
        Entry("not_found", 404, message: "Device not found", "What the path names does not exist, or not for you."),
        Entry(
            "webhook_inactive", 409, message: "webhook is not active",
            "The webhook is switched off. Set `active` to true first."),
        Entry(
            "device_limit_reached", 400, message: "Device limit reached",
            "The API key has as many devices as its `max_devices` allows. Delete one, or ask the operator for more."),
        Entry(
            "webhook_limit_reached", 400, message: "webhook limit reached",
            "The device has as many webhooks as `WEBHOOK_MAX_PER_DEVICE` allows. Delete one, or ask the operator for more."
        ),
        Entry("external_id_taken", 409, message: "external_id is already used", "Another device has this external id."),
        Entry(
            "idempotency_in_progress", 409, message: "request in progress",
            "The first request with this `Idempotency-Key` is still at work. Ask again after `Retry-After`."),
        Entry(
            "idempotency_key_reused", 409, message: "idempotency key reused",
            "The `Idempotency-Key` was used within 24 hours for a request with another path or body."),
    ]

    private static let http = [
        Entry("http_bad_request", 400, message: "Bad Request", "The path or the request is not well formed."),
        Entry("http_method_not_allowed", 405, message: "Method Not Allowed", "`Allow` lists the path's methods."),
        Entry("http_timeout", 408, message: "Request Timeout", "The body did not arrive in time."),
        Entry(
            "http_body_too_large", 413, message: "Request Entity Too Large",
            "The body is larger than `HTTP_BODY_LIMIT_SIZE`, for multipart `HTTP_MEDIA_BODY_LIMIT_SIZE`."),
        Entry(
            "http_unsupported_media_type", 415, message: "Unsupported Media Type",
            "Bodies are `application/json`, `application/x-www-form-urlencoded` or `multipart/form-data`."),
        Entry(
            "upgrade_required", 426, message: "Upgrade Required",
            "The path is a WebSocket of version 13; the request asks for none, or for another version."),
        Entry(
            "http_rate_limited", 429, message: "Rate limit exceeded",
            "Too many requests, sends or failed credentials. Wait for `Retry-After` seconds."),
        Entry(
            "http_headers_too_large", 431, message: "Request Header Fields Too Large",
            "Request line and headers exceed 8192 bytes."),
        Entry(
            "sandbox_unreachable", 502, message: "the sandbox does not answer",
            "`switchboard dev` only: the sandbox beside the gateway did not answer in time."),
        Entry(
            "internal_error", 500, message: "Internal Server Error",
            "A fault of ours. The log has it under the answer's `X-Request-ID`."),
        Entry(
            "http_unavailable", 503, message: "shutting down",
            "The node is shutting down, or cannot tell for now whether credentials still hold."),
        Entry(
            "database_unavailable", 503, message: "Database is temporarily unavailable",
            "PostgreSQL does not answer. Nothing was done; ask again."),
        Entry("not_ready", 503, message: "not ready", "The node does not take requests yet, or no longer."),
        Entry(
            "http_deadline", 504, message: "Gateway Timeout", "The request took longer than `HTTP_REQUEST_TIMEOUT`."),
        Entry(
            "version_refresh_failed", 502,
            message: "Failed to refresh WhatsApp Web version: the page does not name a version",
            "WhatsApp's page with the current version could not be read."),
    ]

    private static let session = [
        Entry(
            "client_not_loaded", 409, message: "WhatsApp Client is not Valid",
            "The device is not linked: never was, or was logged out. Link it."),
        Entry(
            "not_connected", 503, message: "WhatsApp Client is not Connected",
            "The connection to WhatsApp is down and coming back by itself. Ask again after `Retry-After`."),
        Entry("not_logged_in", 409, message: "WhatsApp Client is not Logged In", "The device is just being linked."),
        Entry(
            "session_empty", 409,
            message: "WhatsApp Client Store ID is Empty, Please Re-Login and Scan QR Code Again",
            "There is nothing to reconnect. Link the device."),
        Entry(
            "lease_elsewhere", 503, message: "Device is being moved to another node",
            "The device is changing its node. Ask again after `Retry-After`."),
        Entry(
            "stream_replaced", 409, message: "Session was opened elsewhere",
            "Another client uses the device's identity. `POST /devices/me/reconnect` takes it back."),
        Entry(
            "temporarily_banned", 403, message: "Account is temporarily banned",
            "WhatsApp refuses the account until `data.until`."),
        Entry(
            "client_outdated", 503, message: "WhatsApp client version is outdated",
            "WhatsApp wants a newer version than is known. `POST /admin/whatsapp/version/refresh` fetches it."),
        Entry(
            "already_paired", 409, message: "WhatsApp Client is already paired",
            "The device is linked already, so there is no login to watch. Starting one is no error then: it connects again."
        ),
        Entry(
            "pairing_failed", 502, message: "whatsapp qr channel entered an unexpected state",
            "Linking broke off. Begin again."),
        Entry(
            "pairing_rejected", 403, message: "this number may not be linked here",
            "The gateway's rules refuse the number that scanned the code."),
        Entry(
            "pairing_code_invalid", 422, message: "pairing code was not accepted",
            "The phone did not accept the code. Ask for a new one."),
        Entry(
            "passkey_required", 409, message: "WhatsApp demands a passkey: see /devices/me/passkey",
            "WhatsApp wants the account's passkey before it links the device: no QR or code is on show meanwhile."),
        Entry(
            "passkey_not_pending", 409, message: "No passkey challenge is pending",
            "No assertion, or no confirmation, is awaited now. Read `GET /devices/me/passkey`."),
    ]

    private static let whatsApp = [
        Entry(
            "wa_rejected", 422, message: "info query returned status 406: not-acceptable",
            "WhatsApp refused the request's content; `data.wa_code` is its number."),
        Entry(
            "wa_forbidden", 403, message: "info query returned status 403: forbidden",
            "The account may not do this, or may not log in."),
        Entry(
            "wa_not_found", 404, message: "info query returned status 404: item-not-found",
            "WhatsApp does not know what was asked for."),
        Entry(
            "wa_conflict", 409, message: "info query returned status 409: conflict",
            "It is so already, or something else is."),
        Entry("wa_gone", 410, message: "info query returned status 410: gone", "It existed and does no longer."),
        Entry("wa_locked", 423, message: "info query returned status 423: locked", "Locked by WhatsApp."),
        Entry(
            "wa_rate_limited", 429, message: "info query returned status 429: rate-overlimit",
            "WhatsApp limits the account. Slow down; repeating makes it worse."),
        Entry(
            "wa_unavailable", 502, message: "info query returned status 503: service-unavailable",
            "WhatsApp failed, or answered something that makes no sense."),
        Entry("wa_timeout", 504, message: "info query timed out", "WhatsApp did not answer in 75 seconds."),
        Entry(
            "wa_disconnected", 502, 503, message: "websocket disconnected before info query returned response",
            "The connection broke while waiting. What was asked may have happened."),
    ]

    private static let messages = [
        Entry("invalid_recipient", 400, message: "invalid JID format: x@y", "The chat or person is no JID or number."),
        Entry(
            "recipient_not_registered", 404, message: "WhatsApp Personal ID is Not Registered",
            "The number is not on WhatsApp."),
        Entry(
            "recipient_unreachable", 502, message: "no device of the recipient could be reached",
            "WhatsApp named no device of the recipient that a message could be encrypted for."),
        Entry(
            "wa_send_rejected", 422, 429, 502, message: "server returned error 479",
            "WhatsApp refused the message; `data.wa_code` is its number. 463: the account may not write to this person."
        ),
        Entry("not_in_group", 403, message: "you're not participating in that group", "The account is no member."),
        Entry("group_not_found", 404, message: "that group does not exist", "There is no such group."),
        Entry(
            "send_expired", 504, message: "message was not sent within its time",
            "A queued message was given up after `SEND_QUEUE_TTL`: the device was not connected meanwhile."),
        Entry(
            "queue_full", 503, message: "too many messages are queued on this device",
            "`SEND_QUEUE_MAX` messages wait for the device to reconnect. Ask again after `Retry-After`."),
        Entry(
            "message_not_stored", 404, message: "message not found in store",
            "No message of this id is stored for the device. A message of a group that is quoted needs `sender_jid` then."
        ),
    ]
}
