import HTTPTypes
import Synchronization
import NIOCore
import Testing

@testable import Gateway

@Suite("Response cache")
struct ResponseCacheTests {
    private func key(_ did: Int64, _ query: [String] = []) -> ResponseCache.Key {
        ResponseCache.Key(did: did, route: "GET /groups", parameters: [], query: query)
    }

    private func text(_ answer: Answer?) -> String? {
        guard case .body(let bytes, _)? = answer?.content else { return nil }
        return String(buffer: bytes)
    }

    private func header(_ answer: Answer?, _ name: String) -> String? {
        answer?.headers.last { $0.name == name }?.value
    }

    @Test("an answer is told again to the same device and query, and to no other")
    func separation() {
        let cache = ResponseCache(seconds: 5)
        let first = cache.keep(.ok("one"), for: key(1))
        #expect(header(first, "X-Cache") == "miss")
        let again = cache.answer(for: key(1))
        #expect(text(again) == text(first))
        #expect(header(again, "X-Cache") == "hit")
        #expect(header(again, "Cache-Control")?.hasPrefix("private, max-age=") == true)
        #expect(cache.answer(for: key(2)) == nil)
        #expect(cache.answer(for: key(1, ["reset=true"])) == nil)
    }

    @Test("entries end with their time, with a change of their device, and only status 200 is kept")
    func ends() {
        let start = ContinuousClock.now
        let now = Mutex(start)
        let cache = ResponseCache(seconds: 5) { now.withLock { $0 } }
        _ = cache.keep(.ok("one"), for: key(1))
        _ = cache.keep(.ok("two"), for: key(2))
        cache.drop(did: 1)
        #expect(cache.answer(for: key(1)) == nil)
        #expect(cache.answer(for: key(2)) != nil)
        now.withLock { $0 = start + .seconds(5) }
        #expect(cache.answer(for: key(2)) == nil)
        _ = cache.keep(Answer(status: 201, content: .envelope(message: "made", data: nil)), for: key(3))
        #expect(cache.answer(for: key(3)) == nil)
        #expect(!ResponseCache(seconds: 0).isOn)
    }

    @Test("memory is bounded: what was used least recently goes")
    func bounded() {
        let cache = ResponseCache(seconds: 60, capacity: 16 * 1024)
        let body = Answer(
            status: 200, content: .body(ByteBuffer(repeating: 65, count: 1024), contentType: "text/plain"))
        for did in 1...10 { _ = cache.keep(body, for: key(Int64(did))) }
        #expect(cache.answer(for: key(1)) != nil)
        _ = cache.keep(body, for: key(11))
        #expect(cache.answer(for: key(1)) != nil)
        #expect(cache.answer(for: key(2)) == nil)
        let large = Answer(
            status: 200, content: .body(ByteBuffer(repeating: 65, count: 8192), contentType: "text/plain"))
        _ = cache.keep(large, for: key(12))
        #expect(cache.answer(for: key(12)) == nil)
    }

    @Test(
        "Cache-Control of the request is followed",
        arguments: [
            (nil, ResponseCache.Wish.cached), ("no-cache", .fresh), ("No-Store", .unstored), ("max-age=0", .cached),
        ] as [(String?, ResponseCache.Wish)])
    func wishes(text: String?, wish: ResponseCache.Wish) {
        var headers = HTTPFields()
        headers[.cacheControl] = text
        #expect(ResponseCache.wish(headers) == wish)
    }
}
