import AsyncHTTPClient
import Cryptography
import Foundation
import NIOCore
import NIOHTTP1
import Sandbox
import Testing
import Transport

@Suite struct ControlAPITests {
    @Test("accounts are made one by one and in bulk, shown, changed, banned, and registered anew")
    func accounts() async throws {
        try await ControlClient.with { control in
            let ada = try await control.post("/accounts", ["phone": "+1 202-555-0100", "push_name": "Ada"])
            #expect(ada["phone"] == "12025550100")
            #expect(ada["lid"]?.stringValue?.hasSuffix("@lid") == true)
            #expect(Base64.decode(ada["identity_key"]?.stringValue ?? "")?.count == 32)
            #expect(try await control.call("POST", "/accounts", ["phone": "12025550100"]).status == 409)
            let many = try await control.post("/accounts", ["count": 12, "prefix": "4915112", "auto": ["echo": true]])
            #expect(many.arrayValue?.count == 12)
            #expect(many.arrayValue?.last?["phone"] == "49151120011")
            #expect(many.arrayValue?.last?["auto"]?["echo"] == true)
            #expect(try await control.get("/accounts").arrayValue?.count == 13)
            let lid = try #require(ada["lid"]?.stringValue)
            for name in ["12025550100", "12025550100@s.whatsapp.net", lid] {
                #expect(try await control.get("/accounts/\(name)")["phone"] == "12025550100")
            }
            #expect(try await control.get("/accounts/12025550100/devices").arrayValue?.count == 1)
            let changed = try await control.call("PATCH", "/accounts/12025550100", ["auto": ["auto_read": true]])
            #expect(changed.body["auto"]?["auto_read"] == true)
            let again = try await control.post("/accounts/12025550100/reregister")
            #expect(again["identity_key"] != ada["identity_key"])
            #expect(try await control.call("DELETE", "/accounts/12025550100", ["mode": "ban"]).status == 200)
            #expect(try await control.get("/accounts/12025550100")["standing"] == "banned")
            #expect(try await control.call("DELETE", "/accounts/49151120011").status == 200)
            #expect(try await control.get("/accounts/49151120011")["registered"] == false)
        }
    }

    @Test("messages are sent, listed, read, edited, taken back and reacted to as the phone")
    func messages() async throws {
        try await ControlClient.with { control in
            _ = try await control.post("/accounts", ["phone": "12025550100", "push_name": "Ada"])
            _ = try await control.post("/accounts", ["phone": "12025550101", "push_name": "Bob"])
            let sent = try await control.post("/accounts/12025550100/send", ["to": "12025550101", "text": "hello"])
            let id = try #require(sent["id"]?.stringValue)
            #expect(id.hasPrefix("3EB0") && id.utf8.count == 22)
            let event = try await control.post(
                "/wait", ["type": "phone.message", "match": ["account": "12025550101", "text": "hello"]])
            #expect(event["data"]?["id"]?.stringValue == id)
            #expect(event["data"]?["chat"] == "12025550100@s.whatsapp.net")
            #expect(event["data"]?["push_name"] == "Ada")
            let received = try await control.get("/accounts/12025550101/messages?direction=in&chat=12025550100")
            #expect(received.arrayValue?.count == 1)
            #expect(received.arrayValue?.first?["message"]?["conversation"] == "hello")

            #expect(
                try await control.post("/accounts/12025550101/read", ["chat": "12025550100"])["ids"] == [.string(id)])
            _ = try await control.post(
                "/wait", ["type": "phone.receipt", "match": ["account": "12025550100", "type": "read"]])
            let mine = try await control.get("/accounts/12025550100/messages")
            #expect(mine.arrayValue?.first?["status"] == "read")

            _ = try await control.post(
                "/accounts/12025550101/send",
                ["to": "12025550100", "text": "yes?", "options": ["quoted": .string(id), "id": "MYID"]])
            _ = try await control.post(
                "/accounts/12025550100/send", ["to": "12025550101", "text": "Hello", "edit": .string(id)])
            _ = try await control.post(
                "/accounts/12025550101/send", ["to": "12025550100", "react": ["id": .string(id), "emoji": "👋"]])
            _ = try await control.post(
                "/accounts/12025550100/send",
                ["to": "12025550101", "message": ["extendedTextMessage": ["text": "by protobuf"]]])
            _ = try await control.post("/wait", ["type": "phone.message", "match": ["text": "by protobuf"]])
            _ = try await control.post("/wait", ["type": "phone.message", "match": ["kind": "reaction"]])
            let last = try await control.get("/accounts/12025550100/messages")
            #expect(last.arrayValue?.first?["text"] == "Hello")
            #expect(last.arrayValue?.first?["reactions"]?.objectValue?.values.first == "👋")
            let quote = last.arrayValue?.first { $0["id"] == "MYID" }?["message"]?["extendedTextMessage"]?[
                "contextInfo"]
            #expect(quote?["stanzaID"]?.stringValue == id)
            _ = try await control.post("/accounts/12025550100/send", ["to": "12025550101", "revoke": .string(id)])
            _ = try await control.post("/wait", ["type": "phone.message", "match": ["kind": "revoke"]])
            let revoked = try await control.get("/accounts/12025550101/messages")
            #expect(revoked.arrayValue?.first?["revoked"] == true)
            _ = try await control.post("/accounts/12025550101/typing", ["to": "12025550100", "state": "composing"])
            _ = try await control.post("/accounts/12025550101/presence", ["available": true])
            #expect(try await control.get("/accounts/12025550101")["available"] == true)
        }
    }

    @Test("a group is made, changed and talked in through the API")
    func groups() async throws {
        try await ControlClient.with { control in
            _ = try await control.post("/accounts", ["count": 3, "prefix": "1202555"])
            let group = try await control.post(
                "/groups",
                [
                    "creator": "12025550000", "subject": "Three", "participants": ["12025550001"],
                    "settings": ["announce": true, "description": "about us"],
                ])
            let id = try #require(group["id"]?.stringValue)
            #expect(id.hasPrefix("120363") && id.utf8.count == 18)
            #expect(group["settings"]?["announce"] == true)
            #expect(group["description"] == "about us")
            let refused = try await control.call(
                "POST", "/groups/\(id)/messages", ["from": "12025550001", "text": "hi"])
            #expect(refused.status == 409)
            #expect(refused.errorCode == "refused")
            let grown = try await control.post(
                "/groups/\(id)/participants", ["add": ["12025550002"], "promote": ["12025550001"]])
            #expect(
                grown["participants"]?.arrayValue?.map { $0["role"]?.stringValue } == ["superadmin", "admin", "member"])
            let changed = try await control.post(
                "/groups/\(id)@g.us/settings", ["announce": false, "subject": "All of us"])
            #expect(changed["subject"] == "All of us")
            _ = try await control.post("/groups/\(id)/messages", ["from": "12025550002", "text": "hello all"])
            _ = try await control.post(
                "/wait", ["type": "phone.message", "match": ["account": "12025550001", "text": "hello all"]])
            let seen = try await control.get("/groups/\(id)/messages?account=12025550000")
            #expect(seen.arrayValue?.map { $0["text"] } == ["hello all"])
            let out = try await control.post(
                "/groups/\(id)/participants", ["action": "remove", "participants": ["12025550002"]])
            #expect(out["participants"]?.arrayValue?.count == 2)
            #expect(try await control.call("GET", "/groups/123").status == 404)
            #expect(try await control.call("POST", "/groups/\(id)/settings", ["ephemeral": 5]).status == 422)
        }
    }

    @Test(
        "bad calls get one status and a code",
        arguments: [
            ("POST", "/accounts", "{", 400, "malformed_json"), ("POST", "/accounts", "[]", 400, "malformed_json"),
            ("POST", "/accounts", "{}", 422, "missing_member"),
            ("POST", "/accounts", #"{"phone":"0123"}"#, 422, "invalid_phone"),
            ("POST", "/accounts", #"{"phone":{}}"#, 422, "invalid_argument"),
            ("GET", "/accounts/999", "", 404, "no_such_account"), ("GET", "/nowhere", "", 404, "no_such_path"),
            ("POST", "/accounts/12025550100/scan", #"{"qr":"hello"}"#, 422, "unreadable_qr"),
            ("POST", "/accounts/12025550100/enter-code", #"{"code":"1"}"#, 422, "unreadable_code"),
            ("POST", "/accounts/12025550100/enter-code", #"{"code":"ABCD-EFGH"}"#, 409, "no_code_expected"),
            ("POST", "/accounts/12025550100/send", #"{"to":"999","text":"x"}"#, 404, "no_such_recipient"),
            ("POST", "/accounts/12025550100/send", #"{"to":"a@b@c","text":"x"}"#, 422, "invalid_argument"),
            ("POST", "/accounts/12025550100/send", #"{"to":"12025550100"}"#, 422, "missing_member"),
            ("POST", "/accounts/12025550100/send", #"{"to":"12025550100","revoke":"X"}"#, 404, "no_such_message"),
            ("POST", "/accounts/12025550100/send", #"{"to":"12025550100","media":{}}"#, 422, "invalid_argument"),
            (
                "POST", "/accounts/12025550100/send", #"{"to":"12025550100","message":{"nope":1}}"#, 422,
                "invalid_argument"
            ),
            ("POST", "/accounts/12025550100/devices/1/kick", "{}", 404, "no_such_device"),
            ("POST", "/accounts/12025550100/call", "{}", 422, "missing_member"),
            ("POST", "/newsletters", "{}", 501, "not_implemented"),
            ("POST", "/clock/advance", #"{"ms":5}"#, 409, "real_clock"),
            ("POST", "/faults", #"{"action":"explode"}"#, 422, "invalid_argument"),
            ("POST", "/faults", #"{"action":{"type":"http_status"}}"#, 422, "invalid_argument"),
            ("DELETE", "/faults/7", "", 404, "not_found"),
            ("PATCH", "/config", #"{"max_companion":3}"#, 422, "invalid_argument"),
            ("PATCH", "/config", #"{"max_companions":"x"}"#, 422, "invalid_argument"),
            ("POST", "/wait", #"{"type":"no.such"}"#, 422, "invalid_argument"),
            ("POST", "/wait", #"{"type":"device.login","timeout_ms":1}"#, 408, "timeout"),
            ("GET", "/log?limit=x", "", 422, "invalid_argument"),
            ("POST", "/restore", "rubbish", 422, "unreadable_snapshot"),
            ("POST", "/raw", #"{"account":"12025550100","xml":"<a>"}"#, 422, "invalid_argument"),
            ("POST", "/raw", #"{"account":"12025550100","device":0,"xml":"<a/>"}"#, 409, "not_connected"),
        ])
    func refusals(_ method: String, _ path: String, _ body: String, _ status: Int, _ code: String) async throws {
        try await ControlClient.with { control in
            _ = try await control.post("/accounts", ["phone": "12025550100"])
            let answer = try await control.call(method, path, bytes: Array(body.utf8))
            #expect(answer.status == status, "\(answer.text)")
            #expect(answer.errorCode == code)
            #expect(answer.body["error"]?["message"]?.stringValue?.isEmpty == false)
        }
    }

    @Test("with a token set, calls without it are refused; pages of other origins always are")
    func access() async throws {
        try await ControlClient.with({ $0.controlToken = "secret" }) { (open: ControlClient) async throws -> Void in
            #expect(try await open.call("GET", "/accounts").status == 401)
            var control = open
            control.token = "wrong"
            #expect(try await control.call("GET", "/accounts").status == 401)
            control.token = "secret"
            #expect(try await control.call("GET", "/accounts").status == 200)
            #expect(
                try await control.call("GET", "/accounts", headers: ["Origin": "https://evil.example"]).status == 403)
            #expect(
                try await control.call("GET", "/accounts", headers: ["Origin": control.addresses.control]).status == 200
            )
        }
    }

    @Test(
        "worlds share nothing; a virtual clock moves by command; snapshot, reset and restore give the same world back")
    func worlds() async throws {
        try await ControlClient.with { control in
            let made = try await control.post(
                "/worlds",
                [
                    "id": "two", "seed": "s", "clock": "virtual", "start_time": 1_700_000_000,
                    "config": ["max_companions": 9],
                ])
            #expect(made["time"] == 1_700_000_000_000)
            #expect(try await control.call("POST", "/worlds", ["id": "two"]).status == 409)
            var two = control
            two.world = "two"
            #expect(try await two.get("/config")["max_companions"] == 9)
            _ = try await two.post("/accounts", ["phone": "12025550100"])
            _ = try await two.post("/accounts", ["phone": "12025550101", "auto": ["echo": true]])
            #expect(try await control.get("/accounts").arrayValue?.isEmpty == true)
            #expect(try await two.post("/clock/advance", ["ms": 5000])["time"] == 1_700_000_005_000)
            _ = try await two.post("/accounts/12025550100/send", ["to": "12025550101", "text": "kept"])
            _ = try await two.post("/wait", ["type": "phone.message", "match": ["account": "12025550100"]])
            let snapshot = try await two.call("POST", "/snapshot").bytes
            #expect(try await two.call("POST", "/snapshot").bytes == snapshot)
            #expect(try await two.post("/reset")["accounts"] == 0)
            #expect(try await two.get("/accounts").arrayValue?.isEmpty == true)
            let restored = try await two.call("POST", "/restore", bytes: snapshot)
            #expect(restored.body["accounts"] == 2)
            #expect(restored.body["time"] == 1_700_000_005_000)
            let messages = try await two.get("/accounts/12025550100/messages")
            #expect(messages.arrayValue?.map { $0["text"] } == ["kept", "kept"])
            _ = try await two.post("/accounts/12025550100/send", ["to": "12025550101", "text": "on we go"])
            _ = try await two.post(
                "/wait", ["type": "phone.message", "match": ["account": "12025550100", "text": "on we go"]])
            #expect(try await control.call("DELETE", "/worlds/two").status == 200)
            #expect(try await two.call("GET", "/accounts").errorCode == "no_such_world")
            #expect(try await control.call("DELETE", "/worlds/default").status == 409)
        }
    }

    @Test("trust, metrics, settings and the page for people are served")
    func surroundings() async throws {
        try await ControlClient.with { control in
            let trust = try await control.get("/trust")
            #expect(trust["root_public_key"]?["hex"]?.stringValue == control.addresses.rootPublicKey)
            #expect(trust["root_public_key"]?["go"]?.stringValue?.split(separator: ",").count == 32)
            #expect(trust["ws_url"]?.stringValue == control.addresses.webSocket)
            let changed = try await control.call(
                "PATCH", "/config", ["messages_per_minute": 5, "unknown_iq": "result"])
            #expect(changed.body["messages_per_minute"] == 5)
            #expect(
                try await control.call("PATCH", "/config", ["messages_per_minute": .null]).body["messages_per_minute"]
                    == nil)
            #expect(try await control.call("GET", "/metrics").text.contains("sandbox_accounts{world=\"default\"} 0"))
            for (path, type) in [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")] {
                let page = try await control.call("GET", path, root: "")
                #expect(page.status == 200)
                #expect(page.headers["content-type"]?.hasPrefix(type) == true)
                #expect(page.headers["content-security-policy"]?.contains("default-src 'none'") == true)
                #expect(!page.text.contains("http://") && !page.text.contains("style=\""))
            }
            #expect(try await control.get("/pairings") == [])
            #expect(try await control.get("/violations") == [])
        }
    }

    @Test("events come as a list, as a long poll and as a stream")
    func events() async throws {
        try await ControlClient.with { control in
            _ = try await control.post("/accounts", ["count": 2, "prefix": "1202555"])
            #expect(try await control.get("/events?since=0&types=phone.*") == [])
            async let poll = control.get("/events?types=phone.message&account=12025550001&wait_ms=10000")
            var request = HTTPClientRequest(url: control.addresses.control + "/v1/events?types=phone.message")
            request.headers.add(name: "Accept", value: "text/event-stream")
            let stream = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            #expect(stream.headers.first(name: "content-type") == "text/event-stream")
            _ = try await control.post("/accounts/12025550000/send", ["to": "12025550001", "text": "streamed"])
            let polled = try await poll
            #expect(polled.arrayValue?.first?["data"]?["text"] == "streamed")
            #expect(polled.arrayValue?.first?["account"] == "12025550001")
            var text = ""
            for try await part in stream.body {
                text += String(buffer: part)
                if text.contains("streamed") { break }
            }
            #expect(text.contains("event: phone.message\ndata: {"))
            #expect(text.contains("id: "))
        }
    }
}
