import Cryptography

/// What `media_conn` hands out and uploads must show: `<world>.<phone>.<expiry>.<hmac>`.
struct MediaAuth: Sendable, Equatable {
    let world: String
    let phone: String
    /// World time, Unix seconds.
    let expires: Int64

    func text(key: Bytes) -> String { "\(body).\(Self.signature(body, key))" }

    private var body: String { "\(world).\(phone).\(expires)" }

    private static func signature(_ body: String, _ key: Bytes) -> String {
        Hex.encode(HMACSHA256.authenticate(Bytes("auth/\(body)".utf8), key: key).prefix(16))
    }

    /// World named by a text of this form, unchecked; names of worlds may hold dots.
    static func world(in text: String) -> String? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count >= 4 ? parts.dropLast(3).joined(separator: ".") : nil
    }

    /// `nil` for a text that this key did not sign.
    init?(_ text: String, key: Bytes) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 4, let expires = Int64(parts[parts.count - 2]) else { return nil }
        let body = parts.dropLast().joined(separator: ".")
        guard constantTimeEquals(Bytes(parts[parts.count - 1].utf8), Bytes(Self.signature(body, key).utf8)) else {
            return nil
        }
        self.init(world: parts.dropLast(3).joined(separator: "."), phone: parts[parts.count - 3], expires: expires)
    }

    init(world: String, phone: String, expires: Int64) {
        self.world = world
        self.phone = phone
        self.expires = expires
    }
}
