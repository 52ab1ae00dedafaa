import NIOCore
import Testing
import Transport

@Suite("Reconnect ladder")
struct ReconnectPolicyTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let loss = DisconnectReason.network("reset")

    private func milliseconds(_ decision: ReconnectPolicy.Decision) -> Int64? {
        if case .connect(let delay) = decision { delay.nanoseconds / 1_000_000 } else { nil }
    }

    @Test("the first attempt comes within a second, the second after about one, later ones with full jitter")
    func ladder() {
        var policy = ReconnectPolicy()
        #expect(milliseconds(policy.decide(after: loss, at: start, random: 0.5)) == 500)
        #expect(milliseconds(policy.decide(after: loss, at: start, random: 0.5)) == 1000)
        let longest = (0..<20).compactMap { _ in milliseconds(policy.decide(after: loss, at: start, random: 1)) }
        #expect(longest.prefix(6) == [1000, 2000, 3000, 5000, 8000, 13_000])
        #expect(longest.last == 900_000)
        #expect(milliseconds(policy.decide(after: loss, at: start, random: 0)) == 0)
    }

    @Test("the ladder starts over after a minute of logged-in connection, not at the first success")
    func stability() {
        var policy = ReconnectPolicy()
        for _ in 0..<6 { _ = policy.decide(after: loss, at: start, random: 1) }
        policy.loggedIn(at: start)
        #expect(milliseconds(policy.decide(after: loss, at: start + .seconds(59), random: 1)) == 8000)
        policy.loggedIn(at: start)
        #expect(milliseconds(policy.decide(after: loss, at: start + .seconds(60), random: 1)) == 1000)
        for _ in 0..<6 { _ = policy.decide(after: loss, at: start, random: 1) }
        policy.reset()
        #expect(milliseconds(policy.decide(after: loss, at: start, random: 1)) == 1000)
    }

    @Test("515 reconnects at once, unless it comes again and again")
    func restart() {
        var policy = ReconnectPolicy()
        let restart = DisconnectReason.streamError(.restartRequired)
        for _ in 0..<3 { #expect(policy.decide(after: restart, at: start, random: 1) == .connect(after: .zero)) }
        #expect(milliseconds(policy.decide(after: restart, at: start, random: 1)) == 2000)
    }

    @Test("hints of the server are kept, spread, and never shortened")
    func hints() {
        var policy = ReconnectPolicy()
        #expect(milliseconds(policy.decide(after: .streamError(.shuttingDown), at: start, random: 0)) == 30_000)
        #expect(milliseconds(policy.decide(after: .streamError(.shuttingDown), at: start, random: 1)) == 37_500)
        #expect(milliseconds(policy.decide(after: .streamError(.tooManyConnects), at: start, random: 0)) == 60_000)
    }

    @Test("replaced, logged out, banned and outdated devices do not connect")
    func terminal() {
        var policy = ReconnectPolicy()
        #expect(policy.decide(after: .streamError(.replaced), at: start, random: 0) == .stop(.replaced))
        #expect(policy.decide(after: .streamError(.deviceRemoved), at: start, random: 0) == .stop(.loggedOut))
        let outdated = DisconnectReason.failure(LoginFailure(reason: 405))
        #expect(policy.decide(after: outdated, at: start, random: 0) == .stop(.refreshVersion))
        #expect(policy.decide(after: .requested, at: start, random: 0) == .stop(.stop))
        #expect(policy.attempts == 0)
    }
}
