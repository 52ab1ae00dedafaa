import Foundation
import GatewayTestSupport
import Testing

/// Subscriptions over HTTP: what is taken, what is refused, pages (10-rest-api, section 20; 11-webhooks, section 1).
@Suite("Webhook subscriptions over HTTP")
struct WebhookSubscriptionAPITests {
    @Test("webhooks come in pages, newest first, while others are made and deleted")
    func pages() async throws {
        try await GatewayFixture.run(settings: ["WEBHOOK_MAX_PER_DEVICE": "10"]) { api in
            let tenant = try await api.tenant()
            let (device, other) = (try await api.device(of: tenant), try await api.device(of: tenant))
            var made: [Int] = []
            for _ in 0..<5 { made.append(try await api.webhook(of: device)) }
            _ = try await api.webhook(of: other)
            // Where the times are equal the id decides.
            try await api.script("UPDATE sb.webhooks SET created_at = date_trunc('hour', created_at)")
            func ids(_ answer: APIAnswer) -> [Int] {
                (answer["data", "webhooks"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? Int }
            }
            let whole = try await api.device(device, "GET", "/webhooks")
            #expect(ids(whole) == made.reversed() && whole.headers["x-next-cursor"] == nil)
            let first = try await api.device(device, "GET", "/webhooks?limit=2&reveal=true")
            let cursor = try #require(first.headers["x-next-cursor"])
            #expect(ids(first) == [made[4], made[3]])
            #expect(first.headers["link"] == "<?reveal=true&limit=2&cursor=\(cursor)>; rel=\"next\"")
            _ = try await api.webhook(of: device)
            _ = try await api.device(device, "DELETE", "/webhooks/\(made[3])")
            let second = try await api.device(device, "GET", "/webhooks?limit=2&cursor=\(cursor)")
            #expect(ids(second) == [made[2], made[1]])
            let behind = try #require(second.headers["x-next-cursor"])
            let last = try await api.device(device, "GET", "/webhooks?limit=2&cursor=\(behind)")
            #expect(ids(last) == [made[0]] && last.headers["x-next-cursor"] == nil)
            for (limit, count) in [("0", 1), ("-5", 1), ("x", 5), ("5000", 5)] {
                let answer = try await api.device(device, "GET", "/webhooks?limit=\(limit)")
                #expect(ids(answer).count == count, "\(limit)")
            }
            for wrong in ["x", "1", "1.", ".1", "1.2.3", "99999999999999999999.1", "%00"] {
                let answer = try await api.device(device, "GET", "/webhooks?cursor=\(wrong)")
                #expect(answer.status == 400 && answer["data", "field"] as? String == "cursor", "\(wrong)")
            }
        }
    }

    private static let good = #""url":"https://93.184.216.34/h""#

    /// Members that are understood and not allowed, with the words of the refusal.
    private static var refusals: [(members: String, message: String)] {
        let many = (0...10).map { "\"X-\($0)\":\"v\"" }.joined(separator: ",")
        let names = Array(repeating: "\"call.offer\"", count: 257).joined(separator: ",")
        let large = String(repeating: "v", count: 4096)
        let long = String(repeating: "d", count: 501)
        let urls = [
            (#""url":"http://93.184.216.34/h""#, "only HTTPS URLs are allowed"),
            (#""url":"https://10.0.0.1/h""#, "private/local network URLs are not allowed"),
            (#""url":"https://[64:ff9b::10.0.0.1]/h""#, "private/local network URLs are not allowed"),
            (#""url":"https://user@example.com""#, "url must be valid"),
            (#""url":"https://example.com:25/""#, "url must be valid"),
            (#""url":"no url""#, "url must be valid"),
        ]
        let others = [
            (#""events":["message.sung"]"#, "unknown event type: message.sung"),
            (#""events":["*"]"#, "unknown event type: *"),
            (#""events":[\#(names)]"#, "events must be at most 256"),
            (#""ordering":"random""#, "ordering must be one of: none, device, strict"),
            (#""headers":{"Host":"x"}"#, "headers: Host is set by the gateway"),
            (#""headers":{"webhook-id":"x"}"#, "headers: webhook-id is set by the gateway"),
            (#""headers":{"content-type":"x"}"#, "headers: content-type is set by the gateway"),
            (#""headers":{"X-A":"b\r\nX-B: c"}"#, "headers: X-A is not a valid header"),
            (#""headers":{"X A":"b"}"#, "headers: X A is not a valid header"),
            (#""headers":{\#(many)}"#, "headers: at most 10 of 4096 bytes together"),
            (#""headers":{"X-A":"\#(large)"}"#, "headers: at most 10 of 4096 bytes together"),
            (#""description":"\#(long)""#, "description must be at most 500 characters of text"),
        ]
        return urls + others.map { (good + "," + $0.0, $0.1) }
    }

    private static let misunderstood = [
        #"{"url":7}"#, #"{"url":["https://example.com"]}"#, #"{\#(good),"events":"message.received"}"#,
        #"{\#(good),"events":[7]}"#, #"{\#(good),"headers":["a"]}"#, #"{\#(good),"headers":{"X-A":7}}"#,
        #"{\#(good),"content":"maybe"}"#, #"{\#(good),"description":"a\u0000b"}"#, "[\(good)]", "{",
    ]

    @Test("a subscription that cannot be is refused with its reason, when it is made and when it is changed")
    func refused() async throws {
        try await GatewayFixture.run(settings: ["WEBHOOK_ALLOW_HTTP": "false"]) { api in
            let device = try await api.device(of: try await api.tenant())
            let made = try await api.device(device, "POST", "/webhooks", json: "{\(Self.good)}")
            let id = try #require(made["data", "webhook_id"] as? Int)
            func shown() async throws -> NSDictionary? {
                try await api.device(device, "GET", "/webhooks/\(id)")["data", "webhook"] as? NSDictionary
            }
            let before = try await shown()
            let requests = [("POST", "/webhooks"), ("PATCH", "/webhooks/\(id)")]
            for (method, path) in requests {
                for (members, message) in Self.refusals {
                    let answer = try await api.device(device, method, path, json: "{\(members)}")
                    #expect(
                        answer.status == 400 && answer.message == message,
                        "\(method) \(members.prefix(80)): \(answer.text)")
                }
                for body in Self.misunderstood {
                    let answer = try await api.device(device, method, path, json: body)
                    #expect(answer.status == 400, "\(method) \(body): \(answer.text)")
                }
            }
            for body in ["{}", #"{"url":""}"#, #"{"url":"   "}"#] {
                let answer = try await api.device(device, "POST", "/webhooks", json: body)
                #expect(answer.status == 400 && answer.message == "url is required", "\(body)")
            }
            for secret in ["short", String(repeating: "s", count: 65), "whsec_AAAA", "whsec_%%%"] {
                let answer = try await api.device(
                    device, "POST", "/webhooks", json: #"{\#(Self.good),"secret":"\#(secret)"}"#)
                #expect(answer.status == 400, "\(secret)")
            }
            #expect(try await shown() == before, "what was refused changed nothing")
            let list = try await api.device(device, "GET", "/webhooks")
            #expect((list["data", "webhooks"] as? [Any])?.count == 1, "what was refused made nothing")
        }
    }

    @Test("a device has as many webhooks as are allowed, and one that is deleted makes room")
    func limit() async throws {
        try await GatewayFixture.run(settings: ["WEBHOOK_MAX_PER_DEVICE": "2"]) { api in
            let tenant = try await api.tenant()
            let (device, other) = (try await api.device(of: tenant), try await api.device(of: tenant))
            let first = try await api.webhook(of: device)
            _ = try await api.webhook(of: device)
            let json = #"{"url":"http://127.0.0.1:9999/h"}"#
            let third = try await api.device(device, "POST", "/webhooks", json: json)
            #expect(third.status == 400 && third.message == "webhook limit reached")
            #expect(try await api.device(other, "POST", "/webhooks", json: json).status == 200)
            try await api.store(
                [
                    .init("evt_1", "message.received", "pending", minutesAgo: 1),
                    .init("evt_2", "message.received", "retrying", minutesAgo: 1),
                    .init("evt_3", "message.received", "success", minutesAgo: 1),
                ], of: device, webhook: first)
            #expect(try await api.device(device, "DELETE", "/webhooks/\(first)").message == "webhook deleted")
            #expect(try await api.device(device, "GET", "/webhooks/\(first)/logs").status == 404)
            let event = try await api.device(device, "GET", "/webhook-events/evt_1")
            #expect((event["data", "deliveries"] as? [Any])?.isEmpty == true, "its log is nobody's any more")
            #expect(
                try await api.states() == ["cancelled": 2, "success": 1],
                "a log may be long: it goes with its partitions")
            #expect(try await api.admin("GET", "/admin/webhooks/stats")["data", "pending"] as? Int == 0)
            #expect(try await api.device(device, "POST", "/webhooks", json: json).status == 200)
        }
    }
}
