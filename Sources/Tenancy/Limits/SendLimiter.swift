import NIOConcurrencyHelpers

/// Token bucket of each device's sends (10-rest-api, section 2.9, "Sends per device").
package final class SendLimiter: Sendable {
    private struct Bucket {
        /// May be below zero: tokens already promised to callers that wait.
        var tokens: Double
        var at: ContinuousClock.Instant
    }

    /// Longest wait for a token.
    private static let patience = 10.0

    private let isEnabled: Bool
    private let perSecond: Double
    private let burst: Double
    private let buckets = NIOLockedValueBox<[Int64: Bucket]>([:])

    package init(_ settings: SendLimitSettings) {
        isEnabled = settings.isEnabled
        perSecond = Double(settings.messagesPerMinute) / 60
        burst = Double(settings.burst)
    }

    /// What a send has to do.
    package enum Decision: Sendable, Equatable {
        case go
        /// Seconds until its token is there.
        case wait(Double)
        /// Too many wait already; seconds until it makes sense to ask again.
        case refuse(retryAfter: Int)
    }

    /// Takes a token for one send of `did`.
    package func take(did: Int64, now: ContinuousClock.Instant = .now) -> Decision {
        guard isEnabled else { return .go }
        return buckets.withLockedValue { buckets in
            var bucket = buckets[did] ?? Bucket(tokens: burst, at: now)
            let elapsed = now - bucket.at
            let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
            bucket.tokens = min(burst, bucket.tokens + max(0, seconds) * perSecond)
            bucket.at = now
            let wait = bucket.tokens >= 1 ? 0 : (1 - bucket.tokens) / perSecond
            if wait > Self.patience {
                buckets[did] = bucket
                return .refuse(retryAfter: Int((wait - Self.patience).rounded(.up)))
            }
            bucket.tokens -= 1
            buckets[did] = bucket
            return wait == 0 ? .go : .wait(wait)
        }
    }
}
