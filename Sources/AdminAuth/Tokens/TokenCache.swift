import NIOConcurrencyHelpers

/// Remembers tokens that passed the signature check, so that a device's next request costs a look-up
/// (16-performance-durability, section 6.3).
///
/// Only valid tokens are kept. Revocation does not search here: every use compares the version with the directory.
/// Two generations bound it: when the young one is full it becomes the old one, and the old one goes.
package final class TokenCache: Sendable {
    private struct Entry {
        let token: DeviceToken
        /// Unix seconds.
        let expiresAt: Int64
    }

    private struct Generations {
        var young: [String: Entry] = [:]
        var old: [String: Entry] = [:]
    }

    /// Seconds after which a signature is checked again.
    private static let lifetime: Int64 = 600

    private let capacity: Int
    private let generations = NIOLockedValueBox(Generations())

    /// - Parameter capacity: Tokens in one generation.
    package init(capacity: Int = 4096) { self.capacity = capacity }

    /// - Parameter now: Unix seconds.
    package func token(for text: String, now: Int64) -> DeviceToken? {
        generations.withLockedValue { generations in
            if let entry = generations.young[text] { return entry.expiresAt > now ? entry.token : nil }
            guard let entry = generations.old[text], entry.expiresAt > now else { return nil }
            insert(entry, for: text, into: &generations)
            return entry.token
        }
    }

    package func insert(_ verified: VerifiedToken, for text: String, now: Int64) {
        let expiry = min(now + Self.lifetime, verified.expiresAt ?? .max)
        generations.withLockedValue { generations in
            insert(Entry(token: verified.token, expiresAt: expiry), for: text, into: &generations)
        }
    }

    private func insert(_ entry: Entry, for text: String, into generations: inout Generations) {
        if generations.young.count >= capacity {
            generations.old = generations.young
            generations.young = [:]
        }
        generations.young[text] = entry
    }
}
