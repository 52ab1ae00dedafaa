import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore

/// Answers of GET routes that may be some seconds old (10-rest-api, section 2.7). It sits behind authentication; what one
/// device was told is never told to another. Thread-safe.
final class ResponseCache: Sendable {
    struct Key: Hashable {
        let did: Int64
        /// Path as it was asked, parameters decoded.
        let route: String
        let parameters: [String]
        /// Query in order of names.
        let query: [String]
    }

    /// What the request says about caches.
    enum Wish { case cached, fresh, unstored }

    private struct Entry {
        let answer: Answer
        let bytes: Int
        let expires: ContinuousClock.Instant
        var used: UInt64
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var bytes = 0
        var clock: UInt64 = 0

        mutating func remove(_ key: Key) {
            guard let entry = entries.removeValue(forKey: key) else { return }
            bytes -= entry.bytes
        }
    }

    private let state = NIOLockedValueBox(State())
    private let lifetime: Duration
    private let capacity: Int
    private let now: @Sendable () -> ContinuousClock.Instant

    /// - Parameters:
    ///   - seconds: Age at which an entry ends; 0: nothing is kept.
    ///   - capacity: Bytes of bodies; the entries least recently used go first.
    init(
        seconds: Int, capacity: Int = 64 * 1024 * 1024,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        lifetime = .seconds(seconds)
        self.capacity = capacity
        self.now = now
    }

    var isOn: Bool { lifetime > .zero }

    static func wish(_ headers: HTTPFields) -> Wish {
        let words = headers[.cacheControl]?.lowercased() ?? ""
        return words.contains("no-store") ? .unstored : words.contains("no-cache") ? .fresh : .cached
    }

    /// The kept answer with its headers, or nil.
    func answer(for key: Key) -> Answer? {
        let now = now()
        let entry = state.withLockedValue { state -> Entry? in
            guard var entry = state.entries[key] else { return nil }
            guard entry.expires > now else {
                state.remove(key)
                return nil
            }
            state.clock += 1
            entry.used = state.clock
            state.entries[key] = entry
            return entry
        }
        return entry.map { Self.marked($0.answer, "hit", maximumAge: $0.expires - now) }
    }

    /// Keeps an answer with status 200, and marks it as fresh.
    func keep(_ answer: Answer, for key: Key) -> Answer {
        guard answer.status == 200, let body = Self.body(of: answer) else { return answer }
        let kept = Answer(
            status: 200, content: .body(body.bytes, contentType: body.contentType), headers: answer.headers)
        let size = body.bytes.readableBytes + 512
        guard size <= capacity / 8 else { return answer }
        let expires = now() + lifetime
        state.withLockedValue { state in
            state.remove(key)
            state.clock += 1
            state.entries[key] = Entry(answer: kept, bytes: size, expires: expires, used: state.clock)
            state.bytes += size
            while state.bytes > capacity, let oldest = state.entries.min(by: { $0.value.used < $1.value.used }) {
                state.remove(oldest.key)
            }
        }
        return Self.marked(kept, "miss", maximumAge: lifetime)
    }

    /// Forgets what a device was told: something of it has changed.
    func drop(did: Int64) {
        state.withLockedValue { state in
            for key in state.entries.keys where key.did == did { state.remove(key) }
        }
    }

    private static func marked(_ answer: Answer, _ word: String, maximumAge: Duration) -> Answer {
        answer.with("X-Cache", word)
            .with("Cache-Control", "private, max-age=\(max(0, maximumAge.components.seconds))")
    }

    private static func body(of answer: Answer) -> (bytes: ByteBuffer, contentType: String)? {
        switch answer.content {
        case .envelope(let message, let data):
            (Envelope.success(status: answer.status, message: message, data: data), "application/json")
        case .body(let bytes, let contentType): (bytes, contentType)
        case .stream, .webSocket, .none: nil
        }
    }
}
