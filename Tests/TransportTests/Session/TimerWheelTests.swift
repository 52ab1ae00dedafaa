import NIOCore
import NIOEmbedded
import Testing
import Transport

@Suite("Timer wheel")
struct TimerWheelTests {
    @Test("a timer fires once, not early and at most a tick late, near and far")
    func punctual() {
        let loop = EmbeddedEventLoop()
        let wheel = TimerWheel(eventLoop: loop)
        for milliseconds in [1, 250, 251, 10_000, 127_999, 128_000, 500_000] as [Int64] {
            var fired = 0
            let timer = TimerWheel.Timer { fired += 1 }
            wheel.set(timer, after: .milliseconds(milliseconds))
            loop.advanceTime(by: .milliseconds(milliseconds - 1))
            #expect(fired == 0)
            loop.advanceTime(by: .milliseconds(251))
            #expect(fired == 1, "\(milliseconds)")
            #expect(!timer.isSet && wheel.count == 0)
            loop.advanceTime(by: .seconds(300))
            #expect(fired == 1)
        }
    }

    @Test("a timer can be moved and cancelled, and its neighbours do not notice")
    func moving() {
        let loop = EmbeddedEventLoop()
        let wheel = TimerWheel(eventLoop: loop)
        var fired: [Int] = []
        let timers = (0..<5).map { number in TimerWheel.Timer { fired.append(number) } }
        for timer in timers { wheel.set(timer, after: .seconds(1)) }
        wheel.cancel(timers[0])
        wheel.cancel(timers[2])
        wheel.cancel(timers[4])
        wheel.set(timers[1], after: .seconds(2))
        loop.advanceTime(by: .milliseconds(1500))
        #expect(fired == [3])
        loop.advanceTime(by: .seconds(5))
        #expect(fired == [3, 1])
        #expect(wheel.count == 0)
    }

    @Test("an action may set its own timer again and cancel one that is due with it")
    func actions() {
        let loop = EmbeddedEventLoop()
        let wheel = TimerWheel(eventLoop: loop)
        var beats = 0
        var others = 0
        var first: TimerWheel.Timer?
        var second: TimerWheel.Timer?
        first = TimerWheel.Timer {
            beats += 1
            if let second { wheel.cancel(second) }
            if beats < 3, let first { wheel.set(first, after: .seconds(1)) }
        }
        second = TimerWheel.Timer {
            others += 1
            if let first { wheel.cancel(first) }
        }
        if let first, let second {
            wheel.set(first, after: .seconds(1))
            wheel.set(second, after: .seconds(1))
        }
        loop.advanceTime(by: .seconds(10))
        // Both are due in one tick: whichever runs first keeps the other from running.
        #expect((beats, others) == (3, 0) || (beats, others) == (0, 1))
        first = nil
        second = nil
    }

    @Test("ten thousand timers share one task, and none is lost when the loop was held up for minutes")
    func many() {
        let loop = EmbeddedEventLoop()
        let wheel = TimerWheel(eventLoop: loop)
        var fired = 0
        let timers = (0..<10_000).map { _ in TimerWheel.Timer { fired += 1 } }
        for (number, timer) in timers.enumerated() {
            wheel.set(timer, after: .milliseconds(Int64(number * 37 % 200_000)))
        }
        #expect(wheel.count == 10_000)
        loop.advanceTime(by: .seconds(400))
        #expect(fired == 10_000)
    }
}
