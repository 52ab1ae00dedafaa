import GatewayTestSupport

/// Requests that two servers on the way may split in different places; each carries another one behind it that must not be
/// answered (RFC 9112, section 11).
struct SmuggledRequest {
    /// The head of a request whose body is read.
    private let post: String
    private let behind =
        "GET /admin/stats HTTP/1.1\r\nHost: x\r\nX-Admin-Secret: \(GatewayFixture.adminSecret)\r\n\r\n"

    /// - Parameter token: Of a device.
    init(token: String) {
        post =
            "POST /chats/492522798642/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + "Authorization: Bearer \(token)\r\n"
    }

    private func get(_ target: String, _ headers: String = "Host: x\r\n") -> String {
        "GET \(target) HTTP/1.1\r\n\(headers)\r\n"
    }

    private func chunked(_ body: String) -> String { "\(post)Transfer-Encoding: chunked\r\n\r\n\(body)" }

    private var lengths: [(String, String)] {
        [
            ("CL and TE", "\(post)Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("TE and CL", "\(post)Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
            ("two lengths", "\(post)Content-Length: 0\r\nContent-Length: 44\r\n\r\n"),
            ("the same length twice", "\(post)Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
            ("a list of lengths", "\(post)Content-Length: 0, 44\r\n\r\n"),
            ("a list of the same lengths", "\(post)Content-Length: 0, 0\r\n\r\n"),
            ("a length with a plus", "\(post)Content-Length: +0\r\n\r\n"),
            ("a length with a minus", "\(post)Content-Length: -0\r\n\r\n"),
            ("a length in hexadecimal", "\(post)Content-Length: 0x0\r\n\r\n"),
            ("a length beyond 64 bits", "\(post)Content-Length: 18446744073709551617\r\n\r\n"),
            ("no length at all", "\(post)Content-Length:\r\n\r\n"),
        ]
    }

    private var codings: [(String, String)] {
        [
            ("an odd coding", "\(post)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
            ("identity", "\(post)Transfer-Encoding: identity\r\n\r\n"),
            ("a coding and identity", "\(post)Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
            ("a coding before chunked", "\(post)Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            ("chunked twice in a line", "\(post)Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
            (
                "chunked twice in two lines",
                "\(post)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            (
                "chunked and a second coding",
                "\(post)Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"
            ),
            ("a coding in quotes", "\(post)Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
            ("a vertical tab before the coding", "\(post)Transfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n"),
            ("a parameter of the coding", "\(post)Transfer-Encoding: chunked;x=1\r\n\r\n0\r\n\r\n"),
            ("no coding at all", "\(post)Transfer-Encoding:\r\n\r\n"),
            (
                "a coding in HTTP/1.0",
                "POST /nope HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ]
    }

    private var chunks: [(String, String)] {
        [
            ("a chunk size with a minus", chunked("-1\r\n\r\n")), ("a chunk size with a plus", chunked("+0\r\n\r\n")),
            ("a chunk size with 0x", chunked("0x0\r\n\r\n")), ("a chunk size that is none", chunked("zz\r\n\r\n")),
            ("no chunk size", chunked("\r\n\r\n")), ("a space before the chunk size", chunked(" 0\r\n\r\n")),
            ("a chunk size beyond 64 bits", chunked("10000000000000000\r\n\r\n")),
            ("a chunk size far too big", chunked("fffffffffffffffff\r\n\r\n")),
            ("a chunk longer than its size", chunked("1\r\nab\r\n0\r\n\r\n")),
            ("a chunk size that ends with LF", chunked("0\n\n")),
            ("a NUL in a chunk size", chunked("0\u{0}\r\n\r\n")),
        ]
    }

    private var lines: [(String, String)] {
        [
            ("obs-fold", "\(post)A: b\r\n c: d\r\nContent-Length: 0\r\n\r\n"),
            ("a folded coding", "\(post)Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
            ("a line that begins with a space", "\(post) Content-Length: 0\r\n\r\n"),
            ("a space before the colon", "\(post)Content-Length : 0\r\n\r\n"),
            ("a tab before the colon", "\(post)Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
            ("a line without a colon", "\(post)Content-Length\r\n\r\n"),
            ("a line without a name", "\(post): b\r\nContent-Length: 0\r\n\r\n"),
            ("a NUL in a value", "\(post)A: b\u{0}\r\nContent-Length: 0\r\n\r\n"),
            ("a NUL in a name", "\(post)A\u{0}: b\r\nContent-Length: 0\r\n\r\n"),
            ("a bare CR in a value", "\(post)A: b\rC: d\r\nContent-Length: 0\r\n\r\n"),
            ("a bare CR as an end", "\(post)Content-Length: 0\r\r"),
            ("bare LFs", "GET /nope HTTP/1.1\nHost: x\nA: b\n\n"),
            ("a bare LF after a value", "\(post)A: b\nContent-Length: 0\r\n\r\n"),
            ("a name in brackets", "\(post)A(b): c\r\nContent-Length: 0\r\n\r\n"),
        ]
    }

    private var targets: [(String, String)] {
        [
            ("an absolute target", get("http://127.0.0.1:1/health")),
            ("an absolute target of this host", get("http://x/health")),
            ("a host and no path", get("http://127.0.0.1")),
            ("a star before an address", get("*@127.0.0.1:1/devices/me")),
            ("a star", "OPTIONS * HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\n\r\n"),
            ("a tunnel", "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("no target", "GET  HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("a space in the target", get("/health HTTP/1.1 /nope")),
            ("no version", "GET /admin/stats\r\n\r\n"),
            ("an odd version", "GET / HTTP/9.9\r\nHost: x\r\n\r\n"),
            ("another protocol", "GET / ICE/1.0\r\nHost: x\r\n\r\n"),
            ("a method that is none", "G@T / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("no host", get("/health", "")),
            ("two hosts", get("/health", "Host: x\r\nHost: y\r\n")),
            ("the same host twice", get("/health", "Host: x\r\nHost: x\r\n")),
            ("a list of hosts", get("/health", "Host: x, y\r\n")),
            ("a host with a user", get("/health", "Host: a@x\r\n")),
            ("a host with a path", get("/health", "Host: x/admin\r\n")),
        ]
    }

    /// With their names.
    var all: [(String, String)] {
        (lengths + codings + chunks + lines + targets).map { ($0.0, $0.1 + behind) }
    }
}
