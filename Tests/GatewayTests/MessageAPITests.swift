import Foundation
import Gateway
import GatewayTestSupport
import Messaging
import Storage
import TestSupport
import Testing

@Suite("Messages API")
struct MessageAPITests {
    @Test("a text goes out with quote, mentions and chosen id")
    func send() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            let answer = try await api.device(
                device, "POST", "/chats/+492522798642/messages",
                json:
                    #"{"text":"hé","replyMessageID":"x","reply-to-message-id":"3EB0AA","reply_to_sender_jid":"15550001111","mentions":["15550002222"],"message_id":"0123456789ABCDEF"}"#
            )
            #expect(answer.status == 200 && answer.message == "Success send message")
            #expect(
                answer["data", "message_id"] as? String == "0123456789ABCDEF"
                    && answer["data", "status"] as? String == "sent")
            #expect(answer["data", "chat_jid"] as? String == "492522798642@s.whatsapp.net")
            let sent = try #require(session.now.sent.first)
            #expect(sent.text == "hé" && sent.quote == Quote(messageID: "3EB0AA", sender: "15550001111@s.whatsapp.net"))
            #expect(sent.mentions == ["15550002222@s.whatsapp.net"])
        }
    }

    @Test("bad input is refused with one clear error")
    func badInput() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            try await api.pair(device)
            let long = String(repeating: "x", count: 65_537)
            for (path, body, message) in [
                ("/chats/492522798642/messages", "{}", "text is required"),
                ("/chats/492522798642/messages", #"{"text":"  "}"#, "text is required"),
                ("/chats/492522798642/messages", #"{"text":7}"#, "Failed parse body request"),
                ("/chats/492522798642/messages", #"{"text":"#, "Failed parse body request"),
                ("/chats/492522798642/messages", #"{"text":"\#(long)"}"#, "text must be at most 65536 characters"),
                (
                    "/chats/12345/messages", #"{"text":"a"}"#,
                    "Phone number must be digits only and at least 6 characters"
                ),
                ("/chats/x@y/messages", #"{"text":"a"}"#, "invalid JID format: x@y"),
                ("/chats/%20/messages", #"{"text":"a"}"#, "chat_jid is required"),
                (
                    "/chats/492522798642/messages", #"{"text":"a","message_id":"xyz"}"#,
                    "message_id must be 16 to 32 upper-case hexadecimal digits"
                ),
            ] {
                let answer = try await api.device(device, "POST", path, json: body)
                #expect(answer.status == 400 && answer.message == message, "\(path) \(body.prefix(40))")
            }
        }
    }

    @Test("presence and typing are shown as configured, unless the body says otherwise")
    func simulation() async throws {
        let settings = ["WHATSAPP_TYPING_DELAY_MIN": "200ms", "WHATSAPP_TYPING_DELAY_MAX": "300ms"]
        try await GatewayFixture.run(settings: settings) { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            for body in [
                #"{"text":"a"}"#, #"{"text":"b","typing_simulation":false}"#,
                #"{"text":"c","presence_simulation":false,"typing_simulation":true}"#,
            ] {
                let answer = try await api.device(device, "POST", "/chats/492522798642/messages", json: body)
                #expect(answer.status == 200, "\(answer.text)")
            }
            #expect(
                session.now.sent.map(\.simulation) == [
                    SendSimulation(showsPresence: true, showsTyping: true, typing: 200...300),
                    SendSimulation(showsPresence: true, showsTyping: false, typing: 200...300),
                    SendSimulation(showsPresence: false, showsTyping: false, typing: 200...300),
                ])
        }
    }

    @Test("one key sends once: a repeated request is answered from the store, another body is refused")
    func idempotency() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            func send(_ text: String, key: String) async throws -> APIAnswer {
                try await api.call(
                    "POST", "/chats/492522798642/messages",
                    ["Authorization": "Bearer \(device.token)", "Idempotency-Key": key], json: #"{"text":"\#(text)"}"#)
            }
            #expect(try await send("a", key: "k1").status == 200)
            let idempotency = try #require(session.now.sent.first?.idempotency)
            // What the session writes with its transactions.
            let scope = DeviceScope(tenantID: device.tenantID, did: device.did)
            let store = IdempotencyRepository(api.database)
            _ = try await store.begin(scope, key: "k1", requestHash: idempotency.requestHash)
            #expect(try await send("a", key: "k1").message == "request in progress")
            let result = SendResult(messageID: "3EB0FF", chat: "x", timestamp: Timestamp(seconds: 1))
            try await store.finish(scope, key: "k1", answer: idempotency.answer(.success(result)))
            let replayed = try await send("a", key: "k1")
            #expect(
                replayed.headers["idempotent-replayed"] == "true"
                    && replayed["data", "message_id"] as? String == "3EB0FF")
            let reused = try await send("b", key: "k1")
            #expect(reused.status == 409 && reused.message == "idempotency key reused")
            #expect(session.now.sent.count == 1)
            #expect(try await send("a", key: String(repeating: "k", count: 129)).status == 400)
        }
    }

    @Test("two requests with one key at the same time: the second is told to wait")
    func concurrentIdempotency() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            let (gate, opener) = AsyncStream.makeStream(of: Void.self)
            session.change { $0.sendGate = gate }
            let headers = ["Authorization": "Bearer \(device.token)", "Idempotency-Key": "k"]
            async let first = api.call("POST", "/chats/492522798642/messages", headers, json: #"{"text":"a"}"#)
            _ = try await eventually("the first send") { session.now.sent.isEmpty ? nil : true }
            let second = try await api.call("POST", "/chats/492522798642/messages", headers, json: #"{"text":"a"}"#)
            #expect(second.status == 409 && second.message == "request in progress")
            opener.finish()
            #expect(try await first.status == 200)
        }
    }

    @Test("the send rate limit holds calls back and then refuses them")
    func sendLimit() async throws {
        let settings = [
            "WHATSAPP_RATE_LIMIT_ENABLED": "true", "WHATSAPP_RATE_LIMIT_MSG_PER_MINUTE": "1",
            "WHATSAPP_RATE_LIMIT_BURST_SIZE": "1",
        ]
        try await GatewayFixture.run(settings: settings) { api in
            let device = try await api.device(of: try await api.tenant())
            try await api.pair(device)
            #expect(
                try await api.device(device, "POST", "/chats/492522798642/messages", json: #"{"text":"a"}"#).status
                    == 200)
            let refused = try await api.device(device, "POST", "/chats/492522798642/messages", json: #"{"text":"a"}"#)
            #expect(
                refused.status == 429 && refused.message == "Rate limit exceeded"
                    && refused.headers["retry-after"] != nil)
        }
    }

    @Test("stored messages are paged newest first, under the phone number and under the LID")
    func history() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            try await api.script(
                """
                INSERT INTO sb.lid_map (did, lid, pn) VALUES (\(device.did), '222333444555666', '15550001111');
                INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, push_name, type, body, status, quoted_id)
                SELECT \(device.tenantID), \(device.did), '222333444555666@lid', 'M' || n, false,
                  timestamptz '2026-01-01' + n * interval '1 second', '222333444555666@lid', 'Dana', 'text', 'text ' || n, 3,
                  CASE WHEN n = 5 THEN 'M4' END
                FROM generate_series(1, 5) n;
                INSERT INTO sb.message_reactions (did, chat, message_id, reactor, emoji, ts)
                VALUES (\(device.did), '222333444555666@lid', 'M5', '15550001111@s.whatsapp.net', '👍', now());
                """)
            let first = try await api.device(device, "GET", "/chats/15550001111/messages?limit=2")
            let messages = try #require(first["data", "messages"] as? [[String: Any]])
            #expect(messages.compactMap { $0["message_id"] as? String } == ["M5", "M4"])
            #expect(
                messages[0]["from"] as? String == "15550001111@s.whatsapp.net"
                    && messages[0]["sender_alt"] as? String == "222333444555666@lid")
            #expect(
                messages[0]["status"] as? String == "read"
                    && (messages[0]["quoted"] as? [String: Any])?["message_id"] as? String == "M4")
            #expect((messages[0]["reactions"] as? [[String: Any]])?.first?["emoji"] as? String == "👍")
            #expect(
                first["data", "next_before"] as? String == "M4"
                    && first["data", "chat_jid"] as? String == "15550001111@s.whatsapp.net")
            func ids(_ path: String) async throws -> [String] {
                let list = try await api.device(device, "GET", path)["data", "messages"] as? [[String: Any]]
                return (list ?? []).compactMap { $0["message_id"] as? String }
            }
            #expect(try await ids("/chats/222333444555666@lid/messages?before=M4&limit=500") == ["M3", "M2", "M1"])
            #expect(try await ids("/chats/15550001111/messages?after=M4") == ["M5"])
            #expect(try await ids("/chats/15550001111/messages?order=asc&limit=1") == ["M1"])
            #expect(try await ids("/chats/15550001111/messages?since=1767225603&until=1767225604") == ["M4", "M3"])
            #expect(try await ids("/chats/15550001111/messages?type=image").isEmpty)
            #expect(try await ids("/chats/15550009999/messages").isEmpty)
            for cursor in ["before", "after"] {
                let refused = try await api.device(device, "GET", "/chats/15550001111/messages?\(cursor)=nope")
                #expect(refused.status == 400 && refused["data", "field"] as? String == cursor)
            }
            let stranger = try await api.device(of: try await api.tenant(name: "B"))
            let list =
                try await api.device(stranger, "GET", "/chats/15550001111/messages")["data", "messages"] as? [Any]
            #expect(list?.isEmpty == true)
        }
    }

    @Test(
        "messages of one second are paged in the order in which they came, in both directions, none twice and none left out"
    )
    func oneSecond() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            // Ids that sort otherwise than they came.
            let ids = (1...9).map { "\(($0 * 5) % 11)A\($0)" }
            for id in ids {
                try await api.script(
                    """
                    INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body, status)
                    VALUES (\(device.tenantID), \(device.did), '15550001111@s.whatsapp.net', '\(id)', false,
                      timestamptz '2026-01-01', '15550001111@s.whatsapp.net', 'text', 'x', 3);
                    """)
            }
            func all(_ order: String, _ parameter: String, _ next: String) async throws -> [String] {
                var found: [String] = []
                var cursor = ""
                repeat {
                    let page = try await api.device(
                        device, "GET", "/chats/15550001111/messages?limit=2&order=\(order)&\(parameter)=\(cursor)")
                    let list = try #require(page["data", "messages"] as? [[String: Any]])
                    found += list.compactMap { $0["message_id"] as? String }
                    cursor = try #require(page["data", next] as? String)
                } while !cursor.isEmpty && found.count < 50
                return found
            }
            #expect(try await all("desc", "before", "next_before") == ids.reversed())
            #expect(try await all("asc", "after", "next_after") == ids)
        }
    }
}
