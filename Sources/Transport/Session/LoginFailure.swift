/// A `<failure>`: the server refuses the login (01-transport, section 19).
///
/// `<failure reason="NNN" [code] [expire] [message] [location] [url] [logout_message_header] [logout_message_subtext]
/// [logout_message_locale]/>`
package struct LoginFailure: Sendable, Equatable {
    /// What the `reason` number means.
    package enum Kind: Sendable, Equatable {
        case generic
        case loggedOut
        case temporaryBan
        /// "Main device gone".
        case locked
        case clientOutdated
        case banned
        case badUserAgent
        case internalError
        case experimental
        case serviceUnavailable
        case other
    }

    /// The `reason` attribute, 0 when missing.
    package var reason: Int
    /// The `code` attribute: of a ban, the violation, see 01-transport, section 19.
    package var code: Int?
    /// Seconds until a temporary ban ends.
    package var expire: Int?
    package var message: String?
    package var location: String?
    package var url: String?
    package var logoutHeader: String?
    package var logoutSubtext: String?
    package var logoutLocale: String?

    package init(reason: Int) { self.reason = reason }

    /// Reads a `<failure>` stanza.
    package init(_ stanza: Stanza) {
        reason = stanza.int("reason") ?? 0
        code = stanza.int("code")
        expire = stanza.int("expire")
        message = stanza["message"]
        location = stanza["location"]
        url = stanza["url"]
        logoutHeader = stanza["logout_message_header"]
        logoutSubtext = stanza["logout_message_subtext"]
        logoutLocale = stanza["logout_message_locale"]
    }

    package var kind: Kind {
        switch reason {
        case 400: .generic
        case 401: .loggedOut
        case 402: .temporaryBan
        case 403: .locked
        case 405: .clientOutdated
        case 406: .banned
        case 409: .badUserAgent
        case 500: .internalError
        case 501: .experimental
        case 503: .serviceUnavailable
        default: .other
        }
    }
}
