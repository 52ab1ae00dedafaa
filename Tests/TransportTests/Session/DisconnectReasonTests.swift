import Testing
import Transport

@Suite("Reasons of disconnection")
struct DisconnectReasonTests {
    @Test(
        "each failure reason has the reaction of the specification",
        arguments: [
            (400, .stop), (401, .loggedOut), (402, .temporaryBan(expiresIn: 60)), (403, .loggedOut),
            (405, .refreshVersion), (406, .loggedOut), (409, .stop), (415, .stop), (418, .stop), (419, .stop),
            (500, .reconnect(minimumDelay: 0)), (501, .stop), (503, .reconnect(minimumDelay: 30)), (999, .stop),
        ] as [(Int, DisconnectReason.Reaction)])
    func failures(_ reason: Int, _ reaction: DisconnectReason.Reaction) {
        let failure = LoginFailure(Stanza("failure", ["reason": .int(reason), "code": 104, "expire": 60]))
        #expect(DisconnectReason.failure(failure).reaction == reaction)
        #expect((failure.banDescription != nil) == (reason == 402))
    }

    @Test("a failure keeps its texts, and a missing reason reads as 500")
    func failureTexts() {
        let failure = LoginFailure(
            Stanza(
                "failure",
                ["reason": 403, "logout_message_header": "Gone", "logout_message_subtext": "Sorry", "location": "x"]))
        #expect(failure.kind == .locked)
        #expect(failure.logoutHeader == "Gone" && failure.logoutSubtext == "Sorry" && failure.location == "x")
        #expect(LoginFailure(Stanza("failure")).kind == .internalError)
    }

    @Test("each stream error is recognised and has its reaction")
    func streamErrors() {
        func error(_ code: Int?, _ child: Stanza? = nil) -> Stanza {
            Stanza("stream:error", ["code": code.map { .int($0) }], children: child.map { [$0] } ?? [])
        }
        let cases: [(Stanza, StreamFault, DisconnectReason.Reaction)] = [
            (error(515), .restartRequired, .reconnectNow),
            (error(401, Stanza("conflict", ["type": "device_removed"])), .deviceRemoved, .loggedOut),
            (error(nil, Stanza("conflict", ["type": "replaced"])), .replaced, .replaced),
            (error(516), .forcedLogout, .loggedOut),
            (error(503), .shuttingDown, .reconnect(minimumDelay: 30)),
            (error(429), .tooManyConnects, .reconnect(minimumDelay: 60)),
            (
                error(nil, Stanza("ack", ["id": "7", "class": "receipt"])), .missingAck(id: "7", class: "receipt"),
                .reconnect(minimumDelay: 0)
            ),
            (error(nil, Stanza("xml-not-well-formed")), .notWellFormed, .reconnect(minimumDelay: 0)),
            (error(401), .other(code: 401, element: nil), .loggedOut),
            (error(nil, Stanza("odd")), .other(code: nil, element: "odd"), .reconnect(minimumDelay: 0)),
        ]
        for (stanza, fault, reaction) in cases {
            #expect(StreamFault(stanza) == fault)
            #expect(DisconnectReason.streamError(fault).reaction == reaction)
        }
    }

    @Test("a broken network is retried, our own close is not, a refused upgrade waits")
    func others() {
        #expect(DisconnectReason.network("reset").reaction == .reconnect(minimumDelay: 0))
        #expect(DisconnectReason.silent.reaction == .reconnect(minimumDelay: 0))
        #expect(DisconnectReason.requested.reaction == .stop)
        #expect(DisconnectReason.connectFailed(.refused(status: 503)).reaction == .reconnect(minimumDelay: 30))
        #expect(DisconnectReason.connectFailed(.refused(status: 500)).reaction == .reconnect(minimumDelay: 0))
        #expect(DisconnectReason.connectFailed(.invalidURL("x")).reaction == .stop)
    }
}
