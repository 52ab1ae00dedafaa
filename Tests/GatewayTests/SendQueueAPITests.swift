import Foundation
import GatewayTestSupport
import Messaging
import Storage
import Testing

/// Sends while the device reconnects, and the fate of messages (12-device-scoping-api, section 6.4; 10-rest-api, section 23).
@Suite("The send queue over HTTP")
struct SendQueueAPITests {
    private static let path = "/chats/15550001111/messages"

    /// A device whose connection is lost and comes back by itself.
    private static func reconnecting(_ api: GatewayFixture) async throws -> (NewDevice, FakeDeviceClient) {
        let device = try await api.device(of: try await api.tenant())
        let session = try await api.pair(device)
        session.change { script in
            script.state.phase = .waiting
            script.state.readySince = Timestamp(seconds: 1)
        }
        return (device, session)
    }

    private static func send(
        _ api: GatewayFixture, _ device: NewDevice, _ body: String, key: String? = nil, path: String = path
    ) async throws -> APIAnswer {
        var headers = ["Authorization": "Bearer \(device.token)"]
        headers["Idempotency-Key"] = key
        return try await api.call("POST", path, headers, json: body)
    }

    @Test("a send with a key, or one that asks for it, is accepted with 202; others are told to come again")
    func accepted() async throws {
        try await GatewayFixture.run { api in
            let (device, session) = try await Self.reconnecting(api)
            for (body, key, path) in [
                (#"{"text":"a"}"#, "k1" as String?, Self.path), (#"{"text":"b","queue":true}"#, nil, Self.path),
                (#"{"text":"c","chat_jid":"15550001111"}"#, "k2", "/messages/3EB0AA/reply"),
            ] {
                let answer = try await Self.send(api, device, body, key: key, path: path)
                #expect(answer.status == 202 && answer.message == "Message queued", "\(answer.text)")
                #expect(answer["data", "status"] as? String == "queued")
                #expect(answer["data", "message_id"] is String && answer["data", "expires_at"] is Int)
                #expect(answer["data", "chat_jid"] as? String == "15550001111@s.whatsapp.net")
            }
            #expect(session.now.queued.map(\.text) == ["a", "b", "c"])
            for (body, key) in [(#"{"text":"d"}"#, nil), (#"{"text":"e","queue":false}"#, "k3" as String?)] {
                let answer = try await Self.send(api, device, body, key: key)
                #expect(answer.status == 503 && answer.errorCode == "not_connected", "\(answer.text)")
                #expect(answer.headers["retry-after"] != nil)
            }
            #expect(session.now.queued.count == 3)
        }
    }

    @Test("a full queue is 503 with a time to come back; devices that will not connect by themselves answer why")
    func refused() async throws {
        try await GatewayFixture.run { api in
            let (device, session) = try await Self.reconnecting(api)
            for (failure, status, code) in [
                (SessionError.queueFull, 503, "queue_full"), (.ended(.replaced), 409, "stream_replaced"),
                (.ended(.banned(code: 101, until: nil)), 403, "temporarily_banned"),
                (.ended(.unlinked), 409, "client_not_loaded"), (.notPaired, 409, "client_not_loaded"),
                (.storageUnavailable, 503, "database_unavailable"), (.messageIDInUse, 400, "validation_error"),
            ] {
                session.change { $0.failure = failure }
                let answer = try await Self.send(api, device, #"{"text":"a"}"#, key: "k")
                #expect(answer.status == status && answer.errorCode == code, "\(answer.text)")
                if status == 503 { #expect(answer.headers["retry-after"] != nil) }
            }
            #expect(session.now.queued.isEmpty)
        }
        try await GatewayFixture.run(settings: ["SEND_QUEUE_TTL": "0"]) { api in
            let (device, _) = try await Self.reconnecting(api)
            let answer = try await Self.send(api, device, #"{"text":"a","queue":true}"#, key: "k")
            #expect(answer.status == 503 && answer.errorCode == "not_connected", "\(answer.text)")
        }
    }

    @Test("a request that is repeated while its message waits is 202 with the same message")
    func repeated() async throws {
        try await GatewayFixture.run { api in
            let (device, session) = try await Self.reconnecting(api)
            #expect(try await Self.send(api, device, #"{"text":"a"}"#, key: "k").status == 202)
            let message = try #require(session.now.queued.first)
            let idempotency = try #require(message.idempotency)
            try await Self.store(api, device, "3EB0A1B2C3D4E5F60718", sendBy: "now() + interval '5 minutes'")
            try await api.script(
                """
                INSERT INTO sb.idempotency_keys (did, key, request_hash, state, chat, message_id)
                VALUES (\(device.did), 'k', '\\x\(idempotency.requestHash.map { String(format: "%02x", $0) }.joined())',
                  'running', '15550001111@s.whatsapp.net', '3EB0A1B2C3D4E5F60718')
                """)
            let again = try await Self.send(api, device, #"{"text":"a"}"#, key: "k")
            #expect(again.status == 202 && again["data", "message_id"] as? String == "3EB0A1B2C3D4E5F60718")
            #expect(session.now.queued.count == 1)
            let other = try await Self.send(api, device, #"{"text":"b"}"#, key: "k")
            #expect(other.status == 409 && other.message == "idempotency key reused")
            // Its time passes and nobody runs the device: the request is told what the message is told of.
            try await api.script("UPDATE sb.retry_buffer SET send_by = now() - interval '5 minutes'")
            let fate = try await api.device(device, "GET", "/messages/3EB0A1B2C3D4E5F60718")
            #expect(fate["data", "failure", "error_code"] as? String == "send_expired", "\(fate.text)")
            for _ in 0..<2 {
                let failed = try await Self.send(api, device, #"{"text":"a"}"#, key: "k")
                #expect(failed.errorCode == "send_expired" && failed.status >= 500, "\(failed.text)")
                #expect(failed.headers["idempotent-replayed"] == "true")
            }
            #expect(session.now.queued.count == 1)
        }
    }

    @Test("what became of a message can be asked by its id, with the reason of a failure")
    func fate() async throws {
        try await GatewayFixture.run { api in
            let (device, _) = try await Self.reconnecting(api)
            func fate(_ id: String) async throws -> APIAnswer { try await api.device(device, "GET", "/messages/\(id)") }
            try await Self.store(api, device, "A1", sendBy: "now() + interval '5 minutes'")
            try await Self.store(api, device, "A2", status: 1)
            try await Self.store(api, device, "A3", status: 9, failure: "'rejected', 463")
            try await Self.store(api, device, "A4", sendBy: "now() - interval '5 minutes'")
            try await Self.store(api, device, "A5", row: false)
            let queued = try await fate("A1")
            #expect(queued.status == 200 && queued["data", "status"] as? String == "queued", "\(queued.text)")
            #expect(queued["data", "expires_at"] is Int && queued["data", "text"] as? String == "text of A1")
            #expect(queued["data", "chat_jid"] as? String == "15550001111@s.whatsapp.net")
            #expect(try await fate("A2")["data", "status"] as? String == "sent")
            let refused = try await fate("A3")
            #expect(refused["data", "status"] as? String == "failed")
            #expect(refused["data", "failure", "error_code"] as? String == "wa_send_rejected")
            #expect(refused["data", "failure", "wa_code"] as? Int == 463)
            #expect(try await fate("A4")["data", "failure", "error_code"] as? String == "send_expired")
            let bare = try await fate("A5")
            #expect(bare["data", "status"] as? String == "sent" && bare["data", "text"] == nil, "\(bare.text)")
            let unknown = try await fate("A6")
            #expect(unknown.status == 404 && unknown.errorCode == "message_not_stored")
            let stranger = try await api.device(of: try await api.tenant())
            #expect(try await api.device(stranger, "GET", "/messages/A1").status == 404)
        }
    }

    /// A message of the device's own, as its session stores it. `failure`: reason and code, as SQL.
    private static func store(
        _ api: GatewayFixture, _ device: NewDevice, _ id: String, sendBy: String = "NULL", status: Int = 0,
        failure: String = "NULL, NULL", row: Bool = true
    ) async throws {
        try await api.script(
            """
            INSERT INTO sb.lid_map (did, lid, pn) VALUES (\(device.did), '100000000000001', '15550001111')
              ON CONFLICT DO NOTHING;
            INSERT INTO sb.retry_buffer (did, chat, message_id, format, plaintext, send_by, failure, failure_code) VALUES
              (\(device.did), '100000000000001@lid', '\(id)', 'waE2E.Message', '', \(sendBy), \(failure));
            """)
        guard row else { return }
        try await api.script(
            """
            INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body, status) VALUES
              (\(device.tenantID), \(device.did), '100000000000001@lid', '\(id)', true, now(),
               '15557770000@s.whatsapp.net', 'text', 'text of \(id)', \(status));
            """)
    }
}
