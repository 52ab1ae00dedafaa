import Cryptography

/// What to do about the identity key an address shows (03-signal, section 9).
package enum IdentityTrust {
    package enum Policy: String, Sendable {
        /// A changed identity replaces the stored one, and an event tells. The network's own behaviour.
        case automatic
        /// A changed identity is refused.
        case strict
    }

    package enum Verdict: Sendable, Equatable {
        /// Nothing was stored: trusted, and to be stored with the session.
        case firstUse
        /// The stored key.
        case known
        /// Another key than the stored one: archive the session, store the key, report the change once, and go on.
        case changed
    }

    /// Throws `SignalError.untrustedIdentity` for a changed key under the strict policy.
    package static func evaluate(_ shown: PublicKey, stored: PublicKey?, policy: Policy) throws -> Verdict {
        guard let stored else { return .firstUse }
        if stored == shown { return .known }
        guard policy == .automatic else { throw SignalError.untrustedIdentity }
        return .changed
    }
}
