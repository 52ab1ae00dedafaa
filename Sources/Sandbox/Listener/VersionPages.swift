/// The pages that clients ask for their newest version, and the health check (09, section 21).
///
/// Served by the chat port too: a client whose dialer sends every host to the sandbox asks there.
package enum VersionPages {
    package struct Answer: Sendable, Equatable {
        package let status: Int
        package let contentType: String
        package let body: String
    }

    /// The answer to `GET <target>`; `nil` for paths that are nobody's.
    package static func answer(target: String, revision: UInt32) -> Answer? {
        switch target.prefix(while: { $0 != "?" }) {
        case "/":
            return Answer(
                status: 200, contentType: "text/html; charset=utf-8",
                body: """
                    <!DOCTYPE html><html><head><title>WhatsApp Web</title></head><body>\
                    <script>window.__data={"client_revision":\(revision),"push_phase":"C3"};</script></body></html>

                    """)
        case "/sw.js":
            return Answer(
                status: 200, contentType: "application/javascript",
                body: "self.__data=\"{\\\"client_revision\\\": \(revision), \\\"manifest\\\": []}\";\n")
        case "/check-update":
            return Answer(
                status: 200, contentType: "application/json",
                body: """
                    {"isBroken":false,"isBelowSoft":false,"isBelowHard":false,"hardUpdateTime":null,"beta":null,\
                    "currentVersion":"2.3000.\(revision)"}

                    """)
        case "/healthz":
            return Answer(status: 200, contentType: "text/plain", body: "ok\n")
        default: return nil
        }
    }
}
