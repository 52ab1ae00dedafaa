import Testing
import Transport

@Suite("Reasons of disconnection")
struct DisconnectReasonTests {
    @Test(
        "each failure reason is recognised",
        arguments: [
            (400, .generic), (401, .loggedOut), (402, .temporaryBan), (403, .locked), (405, .clientOutdated),
            (406, .banned), (409, .badUserAgent), (415, .other), (500, .internalError), (501, .experimental),
            (503, .serviceUnavailable), (999, .other),
        ] as [(Int, LoginFailure.Kind)])
    func failures(_ reason: Int, _ kind: LoginFailure.Kind) {
        let failure = LoginFailure(Stanza("failure", ["reason": .int(reason), "code": 104, "expire": 60]))
        #expect(failure.kind == kind && failure.code == 104 && failure.expire == 60)
    }

    @Test("a failure keeps its texts, and without a reason it is of no known kind")
    func failureTexts() {
        let failure = LoginFailure(
            Stanza(
                "failure",
                ["reason": 403, "logout_message_header": "Gone", "logout_message_subtext": "Sorry", "location": "x"]))
        #expect(failure.kind == .locked)
        #expect(failure.logoutHeader == "Gone" && failure.logoutSubtext == "Sorry" && failure.location == "x")
        #expect(LoginFailure(Stanza("failure")).kind == .other)
    }

    @Test("each stream error is recognised")
    func streamErrors() {
        func error(_ code: Int?, _ child: Stanza? = nil) -> Stanza {
            Stanza("stream:error", ["code": code.map { .int($0) }], children: child.map { [$0] } ?? [])
        }
        let cases: [(Stanza, StreamFault)] = [
            (error(515), .restartRequired),
            (error(401, Stanza("conflict", ["type": "device_removed"])), .deviceRemoved),
            (error(nil, Stanza("conflict", ["type": "replaced"])), .replaced),
            (error(516), .forcedLogout),
            (error(503), .shuttingDown),
            (error(429), .tooManyConnects),
            (error(nil, Stanza("ack", ["id": "7", "class": "receipt"])), .missingAck(id: "7", class: "receipt")),
            (error(nil, Stanza("xml-not-well-formed")), .notWellFormed),
            (error(401), .other(code: 401, element: nil)),
            (error(nil, Stanza("odd")), .other(code: nil, element: "odd")),
        ]
        for (stanza, fault) in cases { #expect(StreamFault(stanza) == fault) }
    }
}
