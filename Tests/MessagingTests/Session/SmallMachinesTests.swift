import Testing

@testable import Messaging

@Suite("Small state machines of a session")
struct SmallMachinesTests {
    private let start = Timestamp(seconds: 1000)

    @Test("six refs are shown for 60 and then five times 20 seconds, 160 in all")
    func rotation() throws {
        var rotation = try #require(QRRotation(refs: (1...6).map { "ref\($0)" }, now: start))
        #expect(rotation.end == start.adding(seconds: 160))
        var now = start
        var shown = [rotation.current]
        while true {
            now = rotation.expiresAt
            guard case .show = rotation.timerFired(at: now) else { break }
            shown.append(rotation.current)
        }
        #expect(shown == ["ref1", "ref2", "ref3", "ref4", "ref5", "ref6"])
        #expect(now == start.adding(seconds: 160))
        #expect(QRRotation(refs: [], now: start) == nil)
    }

    @Test("an early timer changes nothing")
    func early() throws {
        var rotation = try #require(QRRotation(refs: ["a", "b"], now: start))
        #expect(rotation.timerFired(at: start.adding(seconds: 59)) == .show(index: 0, until: start.adding(seconds: 60)))
    }

    @Test("delays after losses: within a second, then Fibonacci, spread from the third attempt on, at most 15 minutes")
    func ladder() {
        var ladder = ReconnectLadder()
        #expect(ladder.next(fraction: 0.5) == 500)
        #expect(ladder.next(fraction: 0.5) == 1000)
        #expect(ladder.next(fraction: 0) == 900)
        var ceilings: [Int64] = []
        for _ in 0..<20 { ceilings.append(ladder.next(fraction: 1)) }
        #expect(ceilings.prefix(5) == [2000, 3000, 5000, 8000, 13000])
        #expect(ceilings.max() == 900_000)
        #expect(ladder.next(fraction: 0, minimum: 30) == 30_000)
        var told = ReconnectLadder()
        // What the server told everybody at once is spread.
        #expect(told.next(fraction: 1, minimum: 30) == 37_500)
        ladder.connectionEnded(readyFor: 59)
        #expect(ladder.failures > 0)
        ladder.connectionEnded(readyFor: 60)
        #expect(ladder.failures == 0)
    }

    @Test("restarts that the server asks for happen at once, but not again and again")
    func restarts() {
        var ladder = ReconnectLadder()
        let restarts = (0..<5).map { _ in ladder.restartsAtOnce() }
        #expect(restarts == [true, true, true, false, false])
        ladder.connectionEnded(readyFor: 60)
        let isCalm = ladder.restartsAtOnce()
        #expect(isCalm)
    }

    @Test("a frame waits for its ticket and never overtakes its own chat; other chats pass")
    func gate() {
        var gate = FrameGate<String>()
        let none = CommitTicket.none
        #expect(gate.enqueue("a1", lane: "a", after: CommitTicket(1), watermark: none) == nil)
        #expect(gate.enqueue("a2", lane: "a", after: none, watermark: none) == nil)
        #expect(gate.enqueue("b1", lane: "b", after: none, watermark: none) == "b1")
        #expect(gate.enqueue("ack", lane: nil, after: CommitTicket(2), watermark: none) == nil)
        #expect(gate.release(watermark: none) == [])
        #expect(gate.release(watermark: CommitTicket(1)) == ["a1", "a2"])
        #expect(gate.release(watermark: CommitTicket(2)) == ["ack"])
        #expect(gate.count == 0)
    }

    @Test("a failed commit destroys what waits")
    func gateEmpties() {
        var gate = FrameGate<String>()
        _ = gate.enqueue("a", lane: nil, after: CommitTicket(1), watermark: .none)
        #expect(gate.removeAll() == ["a"])
        #expect(gate.release(watermark: CommitTicket(1)) == [])
    }

    @Test("missed stanzas are asked for in batches of 200, each as the one before begins, while more are due")
    func offline() {
        var drain = OfflineDrain()
        drain.preview(count: 0)
        #expect(!drain.isDraining && !drain.isDue)
        drain.preview(count: 401)
        var askedAt: [Int] = []
        for number in 0..<401 {
            while drain.isDue {
                askedAt.append(number)
                drain.requested()
            }
            drain.received()
        }
        #expect(askedAt == [0, 1, 201] && !drain.isDue)
        drain.finished()
        #expect(!drain.isDraining)

        // Requests that are late are made up for.
        drain.preview(count: .max)
        drain.requested()
        for _ in 0..<401 { drain.received() }
        var late = 0
        while drain.isDue {
            late += 1
            drain.requested()
        }
        #expect(late == 3)
        drain.preview(count: 1)
        drain.requested()
        drain.received()
        #expect(!drain.isDue)
    }

    @Test("prekeys: 812 for a new device, 50 below five, the server asked first within ten minutes")
    func preKeys() {
        var upkeep = PreKeyUpkeep()
        #expect(upkeep.atLogin(serverCount: 0, localCount: 0) == .upload(count: 812))
        #expect(upkeep.atLogin(serverCount: 4, localCount: 800) == .upload(count: 50))
        #expect(upkeep.atLogin(serverCount: 5, localCount: 5) == .nothing)
        #expect(upkeep.notified(count: 4, now: start) == .upload(count: 50))
        upkeep.began()
        #expect(upkeep.notified(count: 0, now: start) == .nothing)
        upkeep.finished(at: start)
        #expect(upkeep.notified(count: 4, now: start.adding(seconds: 599)) == .askCount)
        #expect(upkeep.counted(49) == .upload(count: 50))
        #expect(upkeep.counted(50) == .nothing)
        #expect(upkeep.notified(count: 4, now: start.adding(seconds: 600)) == .upload(count: 50))
    }

    @Test("a small map forgets what was used longest ago")
    func cache() {
        var cache = RecentCache<Int, Int>(capacity: 4)
        for key in 0..<4 { cache[key] = key }
        _ = cache[0]
        cache[4] = 4
        #expect(cache.peek(0) == 0 && cache.peek(4) == 4 && cache.peek(1) == nil)
    }

    @Test(
        "times are written in UTC with microseconds",
        arguments: [
            (Int64(1_767_323_045_678_901), "2026-01-02T03:04:05.678901Z"), (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
        ])
    func rfc3339(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).rfc3339 == text)
    }

    @Test("event data is JSON with control characters and markup escaped")
    func json() {
        var data = JSONObject()
        data.set("a", "x\"\\\n<\u{2028}é\u{1}\r\t&€😀")
        data.set("b", true)
        data.set("c", 7)
        data.set("d", ["1", "2"])
        data.setNull("e")
        #expect(
            String(decoding: data.bytes, as: UTF8.self)
                == #"{"a":"x\"\\\n\u003c\u2028é\u0001\r\t\u0026€😀","b":true,"c":7,"d":["1","2"],"e":null}"#)
    }
}
