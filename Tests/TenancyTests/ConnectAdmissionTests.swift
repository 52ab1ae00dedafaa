import Testing

@testable import Tenancy

@Suite("Admission of connections")
struct ConnectAdmissionTests {
    @Test("a burst passes at once and the rest at the rate, however many ask")
    func rate() {
        var admission = ConnectAdmission(now: 0)
        // Each on a loop of its own: only the rate holds them.
        for id in 0..<1000 { admission.enqueue(id: UInt64(id), loop: id, isUrgent: false) }
        var begun = admission.admit(now: 0).begin
        #expect(begun.count == 50)
        var now = 0.0
        while begun.count < 1000 {
            let (more, wait) = admission.admit(now: now)
            begun += more
            #expect(more.count <= 50)
            now += wait ?? 0.001
        }
        #expect(begun == (0..<1000).map(UInt64.init))
        #expect(now > 7.5 && now < 7.7)
    }

    @Test("a loop has so many handshakes under way, and a quarter of them are kept for whoever somebody waits for")
    func loops() {
        var admission = ConnectAdmission(now: 0)
        for id in 0..<40 { admission.enqueue(id: UInt64(id), loop: 0, isUrgent: false) }
        #expect(admission.admit(now: 0).begin.count == 24)
        for id in 100..<110 { admission.enqueue(id: UInt64(id), loop: 0, isUrgent: true) }
        #expect(admission.admit(now: 0).begin == (100..<108).map(UInt64.init))
        #expect(admission.admit(now: 1).begin.isEmpty)
        admission.finished(loop: 0, hasFailed: false, now: 1)
        #expect(admission.admit(now: 1).begin == [108])
        for _ in 0..<10 { admission.finished(loop: 0, hasFailed: false, now: 1) }
        #expect(admission.admit(now: 1).begin == [109, 24])
    }

    @Test("devices behind one proxy begin ten in a second, also those that somebody waits for, and hold nobody else up")
    func exits() {
        var limits = ConnectAdmission.Limits()
        limits.perLoop = .max
        var admission = ConnectAdmission(limits: limits, now: 0)
        for id in 0..<30 { admission.enqueue(id: UInt64(id), loop: 0, exit: "one", isUrgent: id >= 25) }
        for id in 100..<105 { admission.enqueue(id: UInt64(id), loop: 0, exit: "other", isUrgent: false) }
        for id in 200..<205 { admission.enqueue(id: UInt64(id), loop: 0, isUrgent: false) }
        let first = admission.admit(now: 0)
        var expected: [UInt64] = []
        for start: UInt64 in [0, 25, 100, 200] { expected += Array(start..<start + 5) }
        #expect(first.begin.sorted() == expected)
        #expect(first.retryAfter.map { abs($0 - 0.1) < 1e-6 } == true, "\(String(describing: first.retryAfter))")
        #expect(admission.admit(now: 0.1).begin == [5])
        #expect(admission.admit(now: 0.15).begin.isEmpty)
        #expect(admission.admit(now: 0.4).begin == [6, 7, 8])
        // After a quiet time there are ten at once again, and no more.
        #expect(admission.admit(now: 60).begin == (9..<19).map(UInt64.init))
        let rest = admission.admit(now: 62)
        #expect(rest.begin == (19..<25).map(UInt64.init) && rest.retryAfter == nil)
    }

    @Test("failures halve the rate once a second, and it grows back")
    func failures() {
        var limits = ConnectAdmission.Limits()
        limits.perLoop = .max
        var admission = ConnectAdmission(limits: limits, now: 0)
        for id in 0..<10_000 { admission.enqueue(id: UInt64(id), loop: 0, isUrgent: false) }
        _ = admission.admit(now: 0)
        for _ in 0..<60 { admission.finished(loop: 0, hasFailed: true, now: 0) }
        // Half of 125 in the second that follows, growing by a tenth.
        let next = admission.admit(now: 1).begin.count
        #expect((50...70).contains(next), "\(next)")
        for _ in 0..<60 { admission.finished(loop: 0, hasFailed: false, now: 1) }
        _ = admission.admit(now: 11)
        let healed = admission.admit(now: 11.4).begin.count
        #expect((49...50).contains(healed), "\(healed)")
    }
}
