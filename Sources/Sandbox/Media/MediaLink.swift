import Cryptography

/// The path under which a file is downloaded (05, section 26.8, number 5):
/// `/v/t62.7118-24/<name>.enc?ccb=11-4&oh=<hmac>&oe=<hex expiry>&_nc_sid=5e03e0`.
///
/// `oh` and `oe` are checked when they are there; the name alone is enough for clients that cut the query off.
struct MediaLink {
    private static let folder = "/v/t62.7118-24/"
    private static let suffix = ".enc"

    enum Failure: Error, Equatable {
        case unknown
        /// `oh` is not ours, or `oe` is past.
        case forbidden
    }

    /// 32 bytes, of the world.
    let key: Bytes

    /// The path of the file `name` that is valid until `expires`, Unix seconds.
    func path(name: String, expires: Int64) -> String {
        let path = Self.folder + name + Self.suffix
        let expiry = String(expires, radix: 16)
        return "\(path)?ccb=11-4&oh=\(signature(path, expiry))&oe=\(expiry)&_nc_sid=5e03e0"
    }

    private func signature(_ path: String, _ expiry: String) -> String {
        Hex.encode(HMACSHA256.authenticate(Bytes("\(path)?\(expiry)".utf8), key: key).prefix(16))
    }

    /// File name of a path of this form; `nil` for other paths.
    static func name(inPath path: String) -> String? {
        guard path.hasPrefix("/v/"), path.hasSuffix(suffix), let slash = path.lastIndex(of: "/") else { return nil }
        return String(path[path.index(after: slash)...].dropLast(suffix.count))
    }

    /// Throws ``Failure/forbidden`` for a forged or expired link. `now`: Unix seconds.
    func check(path: String, query: [String: String], now: Int64) throws(Failure) {
        guard let expiry = query["oe"], let shown = query["oh"] else { return }
        guard let expires = Int64(expiry, radix: 16), expires > now,
            constantTimeEquals(Bytes(shown.utf8), Bytes(signature(path, expiry).utf8))
        else { throw .forbidden }
    }
}

/// Base-64 text of hashes as clients put it into URLs, with or without padding, in either alphabet: made comparable.
enum MediaToken {
    static func normalised(_ text: String) -> String {
        String(
            text.compactMap { character -> Character? in
                switch character {
                case "=": nil
                case "+", " ": "-"
                case "/": "_"
                default: character
                }
            })
    }

    static func of(_ hash: Bytes) -> String { Base64.encodeURLSafe(hash) }
}
