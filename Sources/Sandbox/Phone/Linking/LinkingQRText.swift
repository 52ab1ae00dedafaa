import Cryptography

/// What a companion shows as a QR code, read by a phone's camera.
///
/// Layout: 02-pairing-login, section 6.2:
/// `https://wa.me/settings/linked_devices#<ref>,<noise public>,<identity public>,<ADV secret>,<client type>`.
/// Older clients leave the URL out, and the client type with it or without it.
package struct LinkingQRText: Sendable, Equatable {
    /// Why a text is not a linking QR code.
    package enum ParsingError: Error, Equatable, CustomStringConvertible {
        /// Four or five parts separated by commas are needed.
        case partCount(Int)
        /// The named part is no base64 of 32 bytes.
        case invalidKey(String)
        case emptyReference

        package var description: String {
            switch self {
            case .partCount(let count): "it has \(count) parts instead of four or five"
            case .invalidKey(let name): "its \(name) is not 32 bytes in base64"
            case .emptyReference: "its reference is empty"
            }
        }
    }

    package static let urlPrefix = "https://wa.me/settings/linked_devices#"

    /// The server's pairing reference, printable ASCII without comma.
    package let reference: String
    /// The companion's Noise static key, 32 bytes.
    package let noisePublic: Bytes
    /// The companion's Signal identity key, 32 bytes.
    package let identityPublic: Bytes
    /// The secret that never passes the server, 32 bytes.
    package let advSecret: Bytes
    /// Code of the companion's client type (02-pairing-login, section 6.2); nil in the four-part form.
    package let clientType: String?

    package init(
        reference: String, noisePublic: Bytes, identityPublic: Bytes, advSecret: Bytes, clientType: String?
    ) {
        self.reference = reference
        self.noisePublic = noisePublic
        self.identityPublic = identityPublic
        self.advSecret = advSecret
        self.clientType = clientType
    }

    /// Reads a QR text in any of its forms: with or without URL, four or five parts, base64 standard or URL-safe.
    ///
    /// The parts are taken from the right, so that a reference holding commas is still read whole.
    package init(_ text: String) throws(ParsingError) {
        var rest = Substring(text.trimmingWhitespace())
        if rest.lowercased().hasPrefix("http"), let hash = rest.firstIndex(of: "#") {
            rest = rest[rest.index(after: hash)...]
        }
        var parts = rest.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 4 else { throw .partCount(parts.count) }
        var clientType: String?
        // The last part of a four-part text is the secret, which is longer than any client type.
        if parts.count > 4, let last = parts.last, Self.key(last) == nil {
            clientType = last
            parts.removeLast()
        }
        guard let secretText = parts.popLast(), let secret = Self.key(secretText) else {
            throw .invalidKey("ADV secret")
        }
        guard let identityText = parts.popLast(), let identity = Self.key(identityText) else {
            throw .invalidKey("identity key")
        }
        guard let noiseText = parts.popLast(), let noise = Self.key(noiseText) else {
            throw .invalidKey("noise key")
        }
        let reference = parts.joined(separator: ",")
        guard !reference.isEmpty else { throw .emptyReference }
        self.init(
            reference: reference, noisePublic: noise, identityPublic: identity, advSecret: secret,
            clientType: clientType)
    }

    /// The text as a companion of today shows it.
    package var text: String {
        let keys = [noisePublic, identityPublic, advSecret].map { Base64.encode($0) }
        let parts = [reference] + keys + (clientType.map { [$0] } ?? [])
        return Self.urlPrefix + parts.joined(separator: ",")
    }

    private static func key(_ text: String) -> Bytes? {
        guard let bytes = Base64.decode(text) ?? Base64.decodeURLSafe(text), bytes.count == 32 else { return nil }
        return bytes
    }
}

extension String {
    /// The text without blanks and line ends around it.
    func trimmingWhitespace() -> String {
        var view = Substring(self)
        while let first = view.first, first.isWhitespace { view.removeFirst() }
        while let last = view.last, last.isWhitespace { view.removeLast() }
        return String(view)
    }
}
