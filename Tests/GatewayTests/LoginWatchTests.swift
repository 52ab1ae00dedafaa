import Messaging
import Testing

@testable import Gateway

@Suite("News of a login")
struct LoginWatchTests {
    /// The watch as an object, which expectations can call.
    private final class Played {
        private var watch = LoginWatch()
        func look(_ state: ConnectionState?) -> [LoginWatch.News] { watch.look(at: state) }
    }

    private func state(
        _ phase: ConnectionState.Phase, _ pairing: PairingStep? = nil, jid: String? = nil, error: String = ""
    ) -> ConnectionState {
        var state = ConnectionState()
        state.phase = phase
        state.pairing = pairing
        state.jid = jid
        state.lastError = error
        return state
    }

    private func passkey(_ step: PasskeyState.Step, error: String = "") -> PairingStep {
        .passkey(PasskeyState(step: step, options: "{}", expiresAt: Timestamp(seconds: 5), lastError: error))
    }

    private let code = PasskeyState.Step.awaitingConfirmation(code: "ABCD-1234", skipsHandoff: false)

    @Test("the code to compare is told once, also to who looks late")
    func confirmation() {
        let watch = Played()
        #expect(watch.look(nil).isEmpty)
        #expect(watch.look(state(.registering, .qr)).isEmpty)
        #expect(watch.look(state(.registering, passkey(.awaitingResponse))).isEmpty)
        #expect(watch.look(state(.registering, passkey(.responded))).isEmpty)
        let told = LoginWatch.News.confirmation(code: "ABCD-1234", skipsHandoff: false)
        #expect(watch.look(state(.registering, passkey(code))) == [told])
        #expect(watch.look(state(.registering, passkey(code))).isEmpty)
        let confirmed = passkey(.confirmed(code: "ABCD-1234", skipsHandoff: false))
        #expect(watch.look(state(.registering, confirmed)).isEmpty)
        #expect(watch.look(state(.connecting, jid: "1:7@s.whatsapp.net")).isEmpty)
        #expect(watch.look(state(.ready, jid: "1:7@s.whatsapp.net")).isEmpty)
        #expect(Played().look(state(.registering, passkey(code))) == [told])
    }

    @Test("an assertion that was not taken is told once, and the next failure again")
    func refused() {
        let watch = Played()
        let first = state(.registering, passkey(.awaitingResponse, error: "no"))
        #expect(watch.look(first) == [.failure("no", continuation: false)])
        #expect(watch.look(first).isEmpty)
        #expect(watch.look(state(.registering, passkey(.responded))).isEmpty)
        #expect(watch.look(first) == [.failure("no", continuation: false)])
    }

    @Test("a step that failed for good says whether the phone had answered")
    func failed() {
        for (step, continuation) in [(PasskeyState.Step.awaitingResponse, false), (.responded, true), (code, true)] {
            let watch = Played()
            _ = watch.look(state(.registering, passkey(step)))
            // Between the end of the step and that of the connection nothing is known.
            #expect(watch.look(state(.registering)).isEmpty)
            let news = watch.look(state(.idle, error: "unreadable"))
            #expect(news == [.failure("unreadable", continuation: continuation)])
            #expect(watch.look(state(.idle, error: "unreadable")).isEmpty)
        }
    }

    @Test("a login that nobody finished is told; one that paired, began anew or went elsewhere is not")
    func timeout() {
        let timedOut = state(.idle, error: ConnectionState.pairingTimedOut)
        for step in [PairingStep.qr, .code, passkey(.responded)] {
            let watch = Played()
            _ = watch.look(state(.registering, step))
            #expect(watch.look(timedOut) == [.timeout])
            #expect(watch.look(timedOut).isEmpty)
        }
        let ends = [state(.connecting, jid: "1:7@s.whatsapp.net"), state(.idle, error: "socket closed"), nil]
        for end in ends {
            let watch = Played()
            _ = watch.look(state(.registering, .qr))
            #expect(watch.look(end).isEmpty)
            #expect(watch.look(state(.idle)).isEmpty)
        }
        let watch = Played()
        _ = watch.look(state(.registering, .qr))
        #expect(watch.look(state(.connecting)).isEmpty)
        #expect(watch.look(state(.registering, .qr)).isEmpty)
        #expect(watch.look(timedOut) == [.timeout])
    }
}
