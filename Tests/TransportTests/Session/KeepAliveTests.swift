import NIOCore
import Testing
import Transport

@Suite("Keepalive")
struct KeepAliveTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test(
        "pings leave at random intervals between 20 and 30 seconds",
        arguments: [(0.0, 20_000), (0.5, 25_000), (0.99999, 29_999), (1.0, 29_999)] as [(Double, Int64)])
    func intervals(_ random: Double, _ milliseconds: Int64) {
        #expect(KeepAlive(at: start, random: random).nextTimer == start + .milliseconds(milliseconds))
    }

    @Test("an answered ping leads to the next one, with nothing to report")
    func answered() {
        var keepAlive = KeepAlive(at: start, random: 0)
        #expect(keepAlive.timerFired(at: start + .seconds(19), random: 0) == .wait)
        #expect(keepAlive.timerFired(at: start + .seconds(20), random: 0.5) == .ping)
        #expect(keepAlive.nextTimer == start + .seconds(30))
        #expect(keepAlive.replyReceived(at: start + .seconds(21)) == .wait)
        #expect(keepAlive.nextTimer == start + .seconds(45))
    }

    @Test(
        "without answers each miss is reported after 10 seconds, and after 3 minutes of silence the connection is dead")
    func silence() {
        var keepAlive = KeepAlive(at: start, random: 0)
        var reports: [Int] = []
        var pings = 0
        while let next = keepAlive.nextTimer {
            switch keepAlive.timerFired(at: next, random: 0) {
            case .ping:
                pings += 1
            case .reportMissed(let count, let last):
                #expect(last == start)
                #expect(next == start + .seconds(Int64(20 * count + 10)))
                reports.append(count)
            case .reconnect:
                #expect(next == start + .seconds(190))
            case .wait, .reportRestored:
                Issue.record("nothing to wait for")
            }
        }
        #expect(reports == Array(1...8))
        #expect(pings == 9)
        #expect(keepAlive.replyReceived(at: start + .seconds(200)) == .wait)
    }

    @Test("the first answer after misses is reported and starts the count over")
    func restored() {
        var keepAlive = KeepAlive(at: start, random: 0)
        #expect(keepAlive.timerFired(at: start + .seconds(20), random: 0) == .ping)
        #expect(keepAlive.timerFired(at: start + .seconds(30), random: 0) == .reportMissed(count: 1, lastReply: start))
        #expect(keepAlive.timerFired(at: start + .seconds(40), random: 0) == .ping)
        #expect(keepAlive.replyReceived(at: start + .seconds(41)) == .reportRestored(count: 1))
        #expect(keepAlive.timerFired(at: start + .seconds(60), random: 0) == .ping)
        #expect(
            keepAlive.timerFired(at: start + .seconds(70), random: 0)
                == .reportMissed(count: 1, lastReply: start + .seconds(41)))
    }

    @Test("while we do not read, pings go on and misses mean nothing; afterwards there is an interval of grace")
    func notReading() {
        var keepAlive = KeepAlive(at: start, random: 0)
        keepAlive.setReading(false, at: start)
        var now = start
        // Twenty minutes; the last ping is still unanswered.
        for number in 0..<101 {
            guard let next = keepAlive.nextTimer else {
                Issue.record("dead")
                return
            }
            now = next
            #expect(keepAlive.timerFired(at: now, random: 0) == (number % 2 == 0 ? .ping : .wait))
        }
        keepAlive.setReading(true, at: now)
        #expect(keepAlive.timerFired(at: now + .seconds(29), random: 0) == .wait)
        #expect(
            keepAlive.timerFired(at: now + .milliseconds(29_999), random: 0) == .reportMissed(count: 1, lastReply: now))
    }
}
