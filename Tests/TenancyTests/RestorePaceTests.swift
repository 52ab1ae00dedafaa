import TestSupport
import Testing

@testable import Tenancy

@Suite("Spreading a restore")
struct RestorePaceTests {
    @Test("a restore of more devices than slots is spread over the jitter, each wait as the random source says")
    func spread() {
        let pace = RestorePace(jitter: 10, concurrency: 16)
        #expect(pace.pause(after: 16, of: 1000) { 0 } == 0)
        #expect(abs(pace.pause(after: 16, of: 1000) { 1 } - 0.16) < 1e-9)
        #expect(abs(pace.pause(after: 16, of: 1000) { 1.5 } - 0.24) < 1e-9)
        var dice = Dice(7)
        var (whole, waits): (Double, Set<Double>) = (0, [])
        for _ in 0..<125 {
            let wait = pace.pause(after: 8, of: 1000) { Double(dice.below(2000)) / 1000 }
            waits.insert(wait)
            whole += wait
        }
        #expect(whole > 8 && whole < 12 && waits.count > 50, "\(whole) in \(waits.count) different waits")
    }

    @Test("no device waits more than its share, and a small restore does not wait at all")
    func bounds() {
        #expect(abs(RestorePace(jitter: 1000, concurrency: 16).pause(after: 1, of: 100) { 1 } - 0.05) < 1e-9)
        for (jitter, total) in [(10.0, 16), (10, 1), (0, 1000), (10, 0)] {
            let pace = RestorePace(jitter: jitter, concurrency: 16)
            #expect(pace.pause(after: 1, of: total) { 1.9 } == 0, "\(jitter) s, \(total) devices")
        }
    }
}
