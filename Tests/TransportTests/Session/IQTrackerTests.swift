import NIOCore
import Testing
import Transport

@Suite("IQ tracker")
struct IQTrackerTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func request(_ id: String) -> Stanza { Stanza("iq", ["id": .text(id), "type": "get"]) }

    @Test("an answer completes its request once, by id")
    func answers() {
        var tracker = IQTracker<String>()
        #expect(tracker.register(request("1"), waiter: "a", deadline: start + .seconds(75)) == true)
        #expect(tracker.register(request("2"), waiter: "b", deadline: start + .seconds(75)) == true)
        #expect(tracker.register(request("2"), waiter: "c", deadline: start) == false)
        #expect(tracker.register(Stanza("iq"), waiter: "c", deadline: start) == false)
        let answer = Stanza("iq", ["id": "1", "type": "result"])
        let first = tracker.response(answer)
        #expect(first?.waiter == "a")
        #expect(first?.result == .success(answer))
        let second = tracker.response(answer)
        #expect(second == nil)
        #expect(tracker.count == 1)
    }

    @Test("errors are typed, other answers malformed, requests and strangers left alone")
    func errors() {
        var tracker = IQTracker<String>()
        for id in ["1", "2", "3"] { #expect(tracker.register(request(id), waiter: id, deadline: start) == true) }
        let refusal = Stanza(
            "iq", ["id": "1", "type": "error"],
            children: [Stanza("error", ["code": 429, "text": "rate-overlimit", "backoff": 5])])
        let refused = tracker.response(refusal)?.result
        #expect(refused == .failure(.refused(IQError(code: 429, text: "rate-overlimit", backoff: 5))))
        let strangers = [
            Stanza("iq", ["id": "2", "type": "get"]), Stanza("message", ["id": "2"]), Stanza("iq", ["id": "4"]),
        ]
        for stranger in strangers {
            let answer = tracker.response(stranger)
            #expect(answer == nil)
        }
        let malformed = tracker.response(Stanza("iq", ["id": "2"]))?.result
        #expect(malformed == .failure(.malformedAnswer))
        let ack = Stanza("ack", ["id": "3", "error": 479])
        let acknowledged = tracker.response(ack)?.result
        #expect(acknowledged == .success(ack))
        #expect(tracker.isEmpty)
    }

    @Test("requests expire at their deadlines and not before")
    func expiry() {
        var tracker = IQTracker<String>()
        #expect(tracker.register(request("1"), waiter: "a", deadline: start + .seconds(10)) == true)
        #expect(tracker.register(request("2"), waiter: "b", deadline: start + .seconds(20)) == true)
        #expect(tracker.nextDeadline == start + .seconds(10))
        let outcome1 = tracker.expire(at: start + .milliseconds(9999))
        #expect(outcome1.isEmpty)
        let outcome2 = tracker.expire(at: start + .seconds(10))
        #expect(outcome2.map(\.waiter) == ["a"])
        let outcome3 = tracker.expire(at: start + .seconds(30))
        #expect(outcome3.map(\.error) == [.timedOut])
        #expect(tracker.nextDeadline == nil)
    }

    @Test("a request pending across a reconnect is sent once more and answered once")
    func reconnect() {
        var tracker = IQTracker<String>()
        #expect(tracker.register(request("1"), waiter: "a", deadline: start + .seconds(75)) == true)
        #expect(tracker.register(request("2"), waiter: "b", deadline: start + .seconds(75), resend: false) == true)
        let lost = tracker.disconnected(.network("reset"), at: start)
        #expect(lost.map(\.waiter) == ["b"])
        #expect(lost.map(\.error) == [.disconnected(.network("reset"))])
        #expect(tracker.nextDeadline == start + .seconds(5))
        let outcome4 = tracker.reconnected(at: start + .seconds(2))
        #expect(outcome4 == [request("1")])
        let outcome5 = tracker.reconnected(at: start + .seconds(2))
        #expect(outcome5.isEmpty)
        #expect(tracker.nextDeadline == start + .seconds(77))
        let outcome6 = tracker.disconnected(.silent, at: start + .seconds(3))
        #expect(outcome6.map(\.waiter) == ["a"])
        #expect(tracker.isEmpty)
    }

    @Test("a request that waits too long for the next connection fails with the loss of the last")
    func noReconnect() {
        var tracker = IQTracker<String>()
        #expect(tracker.register(request("1"), waiter: "a", deadline: start + .seconds(75)) == true)
        let outcome7 = tracker.disconnected(.silent, at: start)
        #expect(outcome7.isEmpty)
        let outcome8 = tracker.expire(at: start + .seconds(5))
        #expect(outcome8.map(\.error) == [.disconnected(.silent)])
    }

    @Test(
        "nothing is sent again after the device was removed, replaced or refused",
        arguments: [
            .streamError(.deviceRemoved), .streamError(.replaced), .requested, .failure(LoginFailure(reason: 401)),
        ] as [DisconnectReason])
    func terminal(_ reason: DisconnectReason) {
        var tracker = IQTracker<String>()
        #expect(tracker.register(request("1"), waiter: "a", deadline: start + .seconds(75)) == true)
        let outcome9 = tracker.disconnected(reason, at: start)
        #expect(outcome9.map(\.error) == [.disconnected(reason)])
    }

    @Test("a waiter can be taken away, and all can be")
    func cancel() {
        var tracker = IQTracker<String>()
        #expect(tracker.register(request("1"), waiter: "a", deadline: start) == true)
        #expect(tracker.register(request("2"), waiter: "b", deadline: start) == true)
        let taken = [tracker.cancel("1"), tracker.cancel("1")]
        #expect(taken == ["a", nil])
        let rest = tracker.removeAll()
        #expect(rest == ["b"])
    }
}
