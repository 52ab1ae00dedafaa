import HTTPTypes
import NIOCore
import Tenancy
import Testing

@testable import Gateway

@Suite("Routing")
struct RoutingTests {
    private func tree(basePath: String = "") -> RouteTree {
        func route(_ method: Route.Method, _ path: String) -> Route {
            Route(method, path, .none, "", answer: .empty) { _ in .noContent }
        }
        return RouteTree(
            [
                route(.get, "/"), route(.get, "/favicon.ico"), route(.get, "/users/me/privacy"),
                route(.get, "/users/{user_jid}/info"),
                route(.post, "/chats/{chat_jid}/messages"), route(.get, "/chats/{chat_jid}/messages"),
                route(.delete, "/x"),
            ], basePath: basePath)
    }

    private func describe(_ match: RouteTree.Match) -> String {
        switch match {
        case .route(let route, let parameters):
            let name = route.path.contains("chat") ? "chat_jid" : "user_jid"
            return route.name + (parameters[name].isEmpty ? "" : " " + parameters[name])
        case .wrongMethod(let allowed): return "405 " + allowed.joined(separator: ",")
        case .unknownPath: return "404"
        case .malformedPath: return "400"
        }
    }

    @Test(
        "paths find their routes",
        arguments: [
            ("GET", "/", "GET /"), ("GET", "", "GET /"), ("HEAD", "/users/me/privacy", "GET /users/me/privacy"),
            ("GET", "/USERS/Me/privacy/", "GET /users/me/privacy"),
            ("GET", "/users/me/info", "GET /users/{user_jid}/info me"),
            ("POST", "/chats/6281%40s.whatsapp.net/messages", "POST /chats/{chat_jid}/messages 6281@s.whatsapp.net"),
            ("GET", "/chats/A+b/Messages", "GET /chats/{chat_jid}/messages A+b"),
            ("PUT", "/chats/1/messages", "405 GET,HEAD,POST"),
            ("GET", "/x", "405 DELETE"), ("GET", "/users//privacy", "404"), ("GET", "/nope", "404"),
            ("GET", "/chats/%ff/messages", "400"),
            ("GET", "/chats/%zz/messages", "400"), ("GET", "/users/me", "404"),
            ("GET", "/chats/%2F/messages", "GET /chats/{chat_jid}/messages /"),
        ])
    func paths(method: String, path: String, expected: String) {
        #expect(describe(tree().match(method, path[...])) == expected)
    }

    @Test(
        "a base path goes before every route but the icon",
        arguments: [
            ("/api", "GET /"), ("/api/", "GET /"), ("/API/users/me/privacy", "GET /users/me/privacy"),
            ("/users/me/privacy", "404"),
            ("/favicon.ico", "GET /favicon.ico"), ("/", "404"),
        ])
    func basePath(path: String, expected: String) {
        #expect(describe(tree(basePath: "/api").match("GET", path[...])) == expected)
    }
}

@Suite("Edge rules")
struct EdgeRuleTests {
    @Test(
        "origins match exactly, by wildcard, or not at all",
        arguments: [
            (["*"], "http://x.example", "*"), (["https://a.example"], "https://A.example", "https://A.example"),
            (["https://a.example"], "https://b.example", nil),
            (["https://*.a.example"], "https://x.a.example", "https://x.a.example"),
            (["https://*.a.example"], "https://a.example", nil), (["https://*.a.example"], "http://x.a.example", nil),
            (["https://*.a.example"], "https://xa.example", nil),
        ] as [([String], String, String?)])
    func cors(origins: [String], origin: String, expected: String?) {
        var fields = HTTPFields()
        CORSPolicy(origins: origins).apply(to: &fields, origin: origin)
        #expect(fields[.accessControlAllowOrigin] == expected)
    }

    @Test(
        "forwarded addresses count only from trusted proxies",
        arguments: [
            ("9.9.9.9", "1.1.1.1", "9.9.9.9"), ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
            ("10.0.0.1", "garbage", "10.0.0.1"), ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ])
    func clients(remote: String, forwarded: String, expected: String) throws {
        let block = try #require(AddressBlock("10.0.0.0/8"))
        var headers = HTTPFields()
        headers[.forwardedFor] = forwarded
        #expect(ClientAddress(trusted: [block]).resolve(remote: remote, headers) == expected)
        #expect(ClientAddress(trusted: []).resolve(remote: remote, headers) == remote)
    }

    @Test("request ids are taken when harmless and made otherwise")
    func requestIDs() {
        #expect(RequestID.choose("abc-123:X_y.z") == "abc-123:X_y.z")
        for bad in ["", "a b", "a\nb", String(repeating: "a", count: 129), "é"] {
            let id = RequestID.choose(bad)
            #expect(id != bad && id.count == 36)
        }
        let id = Array(RequestID.generate())
        #expect(id[14] == "4" && "89ab".contains(id[19]) && id[8] == "-" && id[23] == "-")
    }

    @Test(
        "gzip is used when it is allowed and worth it",
        arguments: [
            ("gzip", true), ("br, gzip;q=0.5", true), ("*", true), ("gzip;q=0", false), ("br", false), ("", false),
            ("*;q=0, gzip", true), ("gzip;q=0, *", false), ("*;q=0", false), ("GZIP ; Q=0.1", true),
            ("gzip;q=x", false),
        ])
    func gzip(header: String, expected: Bool) {
        #expect(
            Gzip(level: 1).applies(length: 500, contentType: "application/json", acceptEncoding: header, path: "/")
                == expected)
    }

    @Test("what is small, no text, or below docs is not compressed, and level 0 is off; what is comes back whole")
    func gzipLimits() throws {
        func applies(_ level: Int = 1, length: Int = 200, type: String? = "application/json", path: Substring = "/x")
            -> Bool
        {
            Gzip(level: level).applies(length: length, contentType: type, acceptEncoding: "gzip", path: path)
        }
        #expect(applies() && applies(9) && applies(type: "text/html; charset=utf-8"))
        #expect(!applies(0) && !applies(length: 199) && !applies(type: "image/png") && !applies(type: nil))
        #expect(!applies(path: "/docs/swagger.json"))
        let text = ByteBuffer(string: String(repeating: "the same again and again ", count: 400))
        let sizes = try [1, 9].map { try #require(Gzip(level: $0).compress(text)).readableBytes }
        #expect(sizes[0] >= sizes[1] && sizes[0] < text.readableBytes / 10)
    }

    @Test(
        "origins of the list are let in, by name or as subdomains, and every answer says that it depends on the origin",
        arguments: [
            ("https://app.example", "https://app.example"), ("HTTPS://APP.example", "HTTPS://APP.example"),
            ("https://a.wild.example", "https://a.wild.example"), ("https://wild.example", nil),
            ("https://.wild.example", nil), ("http://a.wild.example", nil), ("https://evilwild.example", nil),
            ("https://other.example", nil), ("null", nil), (nil, nil),
        ] as [(String?, String?)])
    func corsList(origin: String?, allowed: String?) {
        let policy = CORSPolicy(origins: ["https://app.example", "https://*.wild.example"])
        var fields = HTTPFields()
        policy.apply(to: &fields, origin: origin)
        #expect(fields[.accessControlAllowOrigin] == allowed && fields[.vary] == "Origin")
        #expect((fields[.accessControlExposeHeaders] != nil) == (allowed != nil))
        #expect(fields[.accessControlExposeHeaders]?.contains("X-Next-Cursor") ?? true)
        var preflight = HTTPFields()
        policy.applyPreflight(to: &preflight, origin: origin)
        #expect(preflight[.accessControlAllowOrigin] == allowed)
        #expect((preflight[.accessControlAllowMethods] == "GET,POST,PUT,PATCH,DELETE,HEAD") == (allowed != nil))
        #expect(preflight[.vary] == "Access-Control-Request-Method, Access-Control-Request-Headers, Origin")
    }

    @Test("with every origin let in, answers are the same for all of them")
    func corsOfAll() {
        var fields = HTTPFields()
        CORSPolicy(origins: ["*"]).apply(to: &fields, origin: "https://any.example")
        #expect(fields[.accessControlAllowOrigin] == "*" && fields[.vary] == nil)
    }

    @Test(
        "the client's address is taken from a proxy's word only when the proxy is trusted, from the right",
        arguments: [
            ("203.0.113.9", "198.51.100.1", nil, "203.0.113.9"), ("10.0.0.1", nil, nil, "10.0.0.1"),
            ("10.0.0.1", "198.51.100.1", nil, "198.51.100.1"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.7", nil, "198.51.100.1"),
            ("10.0.0.1", "10.0.0.9, 10.0.0.7", nil, "10.0.0.9"), ("10.0.0.1", "198.51.100.1, junk", nil, "10.0.0.1"),
            ("10.0.0.1", nil, "198.51.100.2", "198.51.100.2"), ("10.0.0.1", nil, "junk", "10.0.0.1"),
            ("10.0.0.1", "2001:db8::1", nil, "2001:db8::1"),
        ] as [(String, String?, String?, String)])
    func clientAddress(remote: String, forwarded: String?, real: String?, client: String) throws {
        var fields = HTTPFields()
        fields[.forwardedFor] = forwarded
        fields[.realIP] = real
        let proxies = ClientAddress(trusted: [try #require(AddressBlock("10.0.0.0/8"))])
        #expect(proxies.resolve(remote: remote, fields) == client)
        #expect(ClientAddress(trusted: []).resolve(remote: remote, fields) == remote)
    }

    @Test(
        "chats are named in many ways",
        arguments: [
            ("492522798642", "492522798642@s.whatsapp.net"), ("+492522798642 ", "492522798642@s.whatsapp.net"),
            ("492522798642@c.us", "492522798642@s.whatsapp.net"),
            ("492522798642:12@S.whatsapp.net", "492522798642@s.whatsapp.net"),
            ("120363040000000001", "120363040000000001@g.us"), ("4912345-1500000000", "4912345-1500000000@g.us"),
            ("222333444555666@lid", "222333444555666@lid"), ("status@broadcast", "status@broadcast"),
            ("", "chat_jid is required"),
            ("012345678", "Phone number must be in international format without leading 0"),
            ("12ab", "Phone number must be digits only and at least 6 characters"),
            ("12345", "Phone number must be digits only and at least 6 characters"),
            ("abc@s.whatsapp.net", "invalid JID format: abc@s.whatsapp.net"),
            ("1@evil.example", "invalid JID format: 1@evil.example"),
            ("1234@broadcast", "invalid JID format: 1234@broadcast"), ("@g.us", "invalid JID format: @g.us"),
        ])
    func chats(text: String, expected: String) {
        do {
            #expect(try ChatAddress.parse(text, field: "chat_jid") == expected)
        } catch {
            if text == "1234@broadcast" {
                #expect(error.message == "sending to non-status broadcast lists is not yet supported")
            } else {
                #expect(error.message == expected)
                #expect(error.status == 400)
            }
        }
    }

    @Test("proxies are checked and their passwords masked")
    func proxies() throws {
        #expect(try ProxyURL.parse("http://user:pw@proxy.example:8080").host == "proxy.example")
        #expect(try ProxyURL.parse("socks5://[::1]:1080").host == "::1")
        #expect(ProxyURL.masked("http://user:p@w@proxy.example:8080/x") == "http://user:***@proxy.example:8080/x")
        #expect(ProxyURL.masked("http://proxy.example") == "http://proxy.example")
        for bad in ["ftp://x", "http://", "http://x:0", "http://x:99999", "http://a b"] {
            #expect(throws: APIError.self) { try ProxyURL.parse(bad) }
        }
    }

    @Test("a QR text becomes a PNG of the documented size")
    func qr() throws {
        let text = "2@" + String(repeating: "Ab1/", count: 58)
        let png = try #require(QRImage.png(text))
        #expect(png.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        #expect(Array(png[16..<24]) == [0, 0, 1, 0, 0, 0, 1, 0])
        #expect(QRImage.png("") == nil)
        #expect(QRImage.png(String(repeating: "x", count: 5000)) == nil)
    }

    @Test("uptime and memory read as the reference writes them")
    func formats() {
        #expect(Uptime.format(93_784) == "1d 2h 3m 4s")
        #expect(Uptime.format(5) == "5s" && Uptime.format(0) == "0s" && Uptime.format(3600) == "1h 0m 0s")
        #expect(ProcessMemory.format(43_306_189) == "41.3 MB" && ProcessMemory.format(12) == "12 B")
    }
}
