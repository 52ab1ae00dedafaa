import Cryptography
import Foundation

/// Issues and checks device tokens: compact JWS with HMAC-SHA-256 (10-rest-api, section 3.4).
///
/// Written here rather than taken from a JWT library because the request path needs what those do not offer together: a
/// synchronous check without an actor hop, exactly one algorithm, two keys tried without `kid`, bounded input, and claims
/// in the documented order.
package struct TokenSigner: Sendable {
    /// Longest token that is looked at.
    package static let maximumLength = 4096
    /// Seconds that `nbf` may lie in the future: clocks of nodes differ.
    private static let leeway: Int64 = 60
    /// `{"alg":"HS256","typ":"JWT"}`.
    private static let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

    private let key: SecretBytes
    private let previous: SecretBytes?

    /// - Parameters:
    ///   - key: Signs and verifies.
    ///   - previous: Verifies only.
    package init(key: SecretBytes, previous: SecretBytes? = nil) {
        self.key = key
        self.previous = previous
    }

    package func sign(_ token: DeviceToken) -> String {
        let id = token.deviceID.uuidString.lowercased()
        var claims = #"{"device_id":"\#(id)","api_key_id":\#(token.tenantID)"#
        if !token.jid.isEmpty { claims += #","jid":"\#(Self.escaped(token.jid))""# }
        claims += #","version":\#(token.version),"sub":"\#(id)","nbf":\#(token.issuedAt),"iat":\#(token.issuedAt)}"#
        let signed = Self.header + "." + Base64.encodeURLSafe(Bytes(claims.utf8))
        return signed + "." + Base64.encodeURLSafe(HMACSHA256.authenticate(Bytes(signed.utf8), key: key))
    }

    /// Checks form, algorithm, signature and times. Whether the version is current is the directory's question.
    ///
    /// - Parameter now: Unix seconds.
    package func verify(_ text: String, now: Int64) throws(TokenError) -> VerifiedToken {
        let bytes = Bytes(text.utf8)
        // Padding would let one token be written in several ways.
        guard bytes.count <= Self.maximumLength, !bytes.contains(UInt8(ascii: "=")) else { throw .malformed }
        let dots = bytes.indices.filter { bytes[$0] == UInt8(ascii: ".") }
        guard dots.count == 2, let header = Base64.decodeURLSafe(String(decoding: bytes[..<dots[0]], as: UTF8.self)),
            let payload = Base64.decodeURLSafe(String(decoding: bytes[(dots[0] + 1)..<dots[1]], as: UTF8.self)),
            let signature = Base64.decodeURLSafe(String(decoding: bytes[(dots[1] + 1)...], as: UTF8.self))
        else { throw .malformed }

        guard let head = try? JSONDecoder().decode(Header.self, from: Data(header)) else { throw .malformed }
        guard head.alg == "HS256" else { throw .algorithm }
        let signed = bytes[..<dots[1]]
        var isGenuine = constantTimeEquals(HMACSHA256.authenticate(signed, key: key), signature)
        if let previous {
            isGenuine = constantTimeEquals(HMACSHA256.authenticate(signed, key: previous), signature) || isGenuine
        }
        guard isGenuine else { throw .signature }

        guard let claims = try? JSONDecoder().decode(Claims.self, from: Data(payload)) else { throw .claims }
        if let expiry = claims.exp, expiry <= Double(now) { throw .expired }
        if let start = claims.nbf, start > Double(now + Self.leeway) { throw .notYetValid }
        guard let id = UUID(uuidString: claims.device_id), claims.version >= 1 else { throw .claims }
        let token = DeviceToken(
            deviceID: id, tenantID: claims.api_key_id ?? 0, version: claims.version, jid: claims.jid ?? "",
            issuedAt: claims.iat.flatMap { Int64(exactly: $0.rounded()) } ?? 0)
        return VerifiedToken(token: token, expiresAt: claims.exp.flatMap { Int64(exactly: $0.rounded()) })
    }

    private struct Header: Decodable {
        let alg: String
    }

    /// Names as on the wire.
    private struct Claims: Decodable {
        let device_id: String
        let api_key_id: Int64?
        let jid: String?
        let version: Int
        let nbf: Double?
        let iat: Double?
        let exp: Double?
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            default: if scalar.value >= 0x20 { result.unicodeScalars.append(scalar) }
            }
        }
        return result
    }
}

/// A token whose signature and times were checked.
package struct VerifiedToken: Sendable, Hashable {
    package let token: DeviceToken
    /// Unix seconds; tokens of ours have none.
    package let expiresAt: Int64?
}
