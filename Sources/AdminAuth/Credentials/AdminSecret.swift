import Cryptography

/// Checks the `X-Admin-Secret` header (10-rest-api, section 3.2).
///
/// Only SHA-256 digests are kept and compared, in constant time, so neither length nor content leaks through timing.
package struct AdminSecretVerifier: Sendable {
    private let digests: [Bytes]

    /// - Parameter previous: Accepted too while the secret is being replaced.
    package init(current: SecretBytes, previous: SecretBytes? = nil) {
        digests = [current, previous].compactMap { $0 }.filter { $0.count > 0 }.map { SHA256Digest.hash($0.bytes) }
    }

    package func verify(_ candidate: some StringProtocol) -> Bool {
        let digest = SHA256Digest.hash(Bytes(candidate.utf8))
        // Every digest is compared, whichever matches.
        return digests.reduce(false) { constantTimeEquals(digest, $1) || $0 }
    }
}
