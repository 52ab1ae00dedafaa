import Cryptography

/// The signatures of one delivery: the reference's HMAC over the body, and Standard Webhooks 1.0.0
/// (11-webhooks, section 4). The bytes signed are the bytes sent.
package enum WebhookSignature {
    /// A signing secret as its owner sees it: 64 hex digits, any text of 16 to 64 bytes, or `whsec_` + base64.
    package struct Secret: Sendable {
        private let text: SecretBytes
        private let standardKey: SecretBytes

        /// - Throws: `WebhookSecretError` when the text is neither form.
        package init(_ text: String) throws {
            let bytes = Bytes(text.utf8)
            if text.hasPrefix(Self.standardPrefix) {
                guard let key = Base64.decode(String(text.dropFirst(Self.standardPrefix.count))) else {
                    throw WebhookSecretError.notBase64
                }
                guard (24...64).contains(key.count) else { throw WebhookSecretError.length(key.count) }
                standardKey = SecretBytes(key)
            } else {
                guard (16...64).contains(bytes.count) else { throw WebhookSecretError.length(bytes.count) }
                standardKey = SecretBytes(bytes)
            }
            self.text = SecretBytes(bytes)
        }

        /// A fresh secret: 32 random bytes as 64 lower-case hex digits.
        package static func generate(using random: some RandomSource = SystemRandom()) -> String {
            Hex.encode(random.bytes(32))
        }

        /// The form Standard Webhooks libraries take: `whsec_` + base64 of the key.
        package var signingSecret: String { Self.standardPrefix + Base64.encode(standardKey.bytes) }

        /// What lists show of it.
        package static func masked(_ text: String) -> String { "***" + text.suffix(4) }

        fileprivate func reference(_ body: Bytes) -> Bytes {
            HMACSHA256.authenticate(body, key: text.bytes)
        }

        fileprivate func standard(_ content: Bytes) -> Bytes {
            HMACSHA256.authenticate(content, key: standardKey.bytes)
        }

        private static let standardPrefix = "whsec_"
    }

    /// `sha256=<hex>` of `X-Webhook-Signature` and `X-Hub-Signature-256`: the key is the secret's text itself.
    package static func reference(body: Bytes, secret: Secret) -> String {
        "sha256=" + Hex.encode(secret.reference(body))
    }

    /// `webhook-signature`: one `v1,<base64>` for each secret, newest first, separated by a space.
    /// - Parameters:
    ///   - id: the event id; must hold no dot.
    ///   - timestamp: seconds of this attempt.
    package static func standard(id: String, timestamp: Int64, body: Bytes, secrets: [Secret]) -> String {
        let content = Bytes("\(id).\(timestamp).".utf8) + body
        return secrets.map { "v1," + Base64.encode($0.standard(content)) }.joined(separator: " ")
    }
}

/// Why a signing secret was refused.
package enum WebhookSecretError: Error, Equatable {
    /// Key bytes outside the allowed range: text 16 to 64, `whsec_` 24 to 64.
    case length(Int)
    case notBase64
}
