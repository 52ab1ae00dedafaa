/// An `<error code text [backoff]/>` in an answer (01-transport, section 14.3).
package struct IQError: Error, Sendable, Equatable {
    package var code: Int
    package var text: String
    /// Seconds to wait before asking again.
    package var backoff: Int?

    package init(code: Int, text: String, backoff: Int? = nil) {
        self.code = code
        self.text = text
        self.backoff = backoff
    }

    /// The error of an `<iq type="error">`; code 0 when it carries none.
    package init(_ stanza: Stanza) {
        let error = stanza.child("error")
        code = error?.int("code") ?? 0
        text = error?["text"] ?? ""
        backoff = error?.int("backoff")
    }

    package static let badRequest = IQError(code: 400, text: "bad-request")
    package static let notAuthorized = IQError(code: 401, text: "not-authorized")
    package static let forbidden = IQError(code: 403, text: "forbidden")
    package static let itemNotFound = IQError(code: 404, text: "item-not-found")
    package static let notAllowed = IQError(code: 405, text: "not-allowed")
    package static let notAcceptable = IQError(code: 406, text: "not-acceptable")
    package static let conflict = IQError(code: 409, text: "conflict")
    package static let gone = IQError(code: 410, text: "gone")
    package static let resourceLimit = IQError(code: 419, text: "resource-limit")
    package static let locked = IQError(code: 423, text: "locked")
    package static let rateLimited = IQError(code: 429, text: "rate-overlimit")
    package static let internalServerError = IQError(code: 500, text: "internal-server-error")
    package static let notImplemented = IQError(code: 501, text: "feature-not-implemented")
    package static let serviceUnavailable = IQError(code: 503, text: "service-unavailable")
    package static let partialServerError = IQError(code: 530, text: "partial-server-error")
}
