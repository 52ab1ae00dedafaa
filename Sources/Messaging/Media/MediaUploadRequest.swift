import Cryptography

/// Where and how a body is posted to a media server (05-message-content, sections 26.2, 26.3).
package struct MediaUploadRequest: Sendable, Equatable {
    /// `/mms/<type>/<token>` or `/newsletter/newsletter-<type>/<token>`.
    package let path: String
    /// The hash of the body in URL-safe Base64 with padding; also sent as query item `token`.
    package let token: String
    /// Value of the query item `auth`, from the media connection.
    package let auth: String

    /// Headers that the servers expect of a web client.
    package static let headers: [(name: String, value: String)] = [
        ("Origin", "https://web.whatsapp.com"), ("Referer", "https://web.whatsapp.com/"),
        ("Content-Type", "application/octet-stream"),
    ]

    /// An encrypted body; `hash` is its SHA-256.
    package init(encrypted kind: MediaKind, hash: Bytes, auth: String) {
        token = MediaUploadRequest.token(hash)
        path = "/mms/\(kind.serverType)/\(token)"
        self.auth = auth
    }

    /// A plain file for a channel; `hash` is its SHA-256.
    package init(newsletter kind: MediaKind, hash: Bytes, auth: String) {
        token = MediaUploadRequest.token(hash)
        path = "/newsletter/newsletter-\(kind.serverType)/\(token)"
        self.auth = auth
    }

    private static func token(_ hash: Bytes) -> String {
        let unpadded = Base64.encodeURLSafe(hash)
        return unpadded + String(repeating: "=", count: (4 - unpadded.utf8.count % 4) % 4)
    }
}
