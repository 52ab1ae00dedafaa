import Foundation
import Gateway
import GatewayTestSupport
import Messaging
import Testing

@Suite("Message actions API")
struct MessageActionAPITests {
    @Test("a reply quotes the message of the path, whatever the body says")
    func reply() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            let answer = try await api.device(
                device, "POST", "/messages/3EB0AA/reply",
                json:
                    #"{"chatJid":"492522798642","text":"yes","sender_jid":"15550001111","message_id":"3EB0BB","quoted_text":"what was asked"}"#
            )
            #expect(answer.status == 200 && answer.message == "Success reply to message")
            #expect(answer["data", "chat_jid"] as? String == "492522798642@s.whatsapp.net")
            let sent = try #require(session.now.sent.first)
            #expect(sent.chat == "492522798642@s.whatsapp.net" && sent.text == "yes" && sent.messageID == nil)
            #expect(
                sent.quote
                    == Quote(messageID: "3EB0AA", sender: "15550001111@s.whatsapp.net", text: "what was asked"))
            for (body, message) in [
                (#"{"chat_jid":"492522798642"}"#, "Message cannot be empty"),
                (#"{"text":"yes"}"#, "chat_jid is required"), (#"{"text":"#, "Failed parse body request"),
            ] {
                let refused = try await api.device(device, "POST", "/messages/3EB0AA/reply", json: body)
                #expect(refused.status == 400 && refused.message == message, "\(body)")
            }
        }
    }

    @Test("marking as read needs chat and author")
    func read() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            try await api.pair(device)
            let answer = try await api.device(
                device, "POST", "/messages/3EB0AA/read",
                json: #"{"chat_jid":"492522798642","sender_jid":"492522798642","message_ids":["3EB0BB"]}"#)
            #expect(answer.status == 200 && answer.message == "Success mark message as read")
            for body in ["{}", #"{"chat_jid":"492522798642"}"#, #"{"a":"#] {
                let refused = try await api.device(device, "POST", "/messages/3EB0AA/read", json: body)
                #expect(refused.status == 400 && refused.message == "chat_jid and sender_jid are required", "\(body)")
            }
        }
    }

    @Test("lists come in pages, and the link to the next keeps the other parameters")
    func pages() async throws {
        try await GatewayFixture.run { api in
            for _ in 0..<3 { _ = try await api.tenant() }
            let admin = ["X-Admin-Secret": GatewayFixture.adminSecret]
            let first = try await api.gateway.send("GET", "/admin/api-keys?limit=2&x=a%20b", headers: admin)
            let cursor = try #require(first.headers["x-next-cursor"])
            #expect(first.headers["link"] == "<?x=a%20b&limit=2&cursor=\(cursor)>; rel=\"next\"")
            // What is made meanwhile comes before the first page and moves nothing.
            _ = try await api.tenant(name: "Late Ltd")
            let second = try await api.admin("GET", "/admin/api-keys?limit=2&cursor=\(cursor)")
            #expect(second.status == 200 && second.headers["x-next-cursor"] == nil)
            let rest = try #require(second["data"] as? [[String: Any]])
            #expect(rest.map { $0["customer_name"] as? String } == ["Harbour Ltd"])
            let found = try await api.admin("GET", "/admin/api-keys?q=LATE")
            #expect((found["data"] as? [[String: Any]])?.count == 1)
            for wrong in ["o2", "1.", ".1", "1.2.3", "x", "99999999999999999999.1"] {
                let answer = try await api.admin("GET", "/admin/api-keys?cursor=\(wrong)")
                #expect(answer.status == 400 && answer["data", "field"] as? String == "cursor", "\(wrong)")
            }
        }
    }
}
