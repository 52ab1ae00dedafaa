import Foundation
import NIOCore
import Storage
import TestSupport
import Testing

@testable import Gateway

@Suite("Frames of a WebSocket")
struct SocketFrameTests {
    private static let device = UUID()

    private func frame(_ type: String, _ data: String) throws -> JSON? {
        let event = StoredEvent(
            id: "evt_1", type: type, sequence: 1, body: Array(#"{"event_type":"\#(type)","data":\#(data)}"#.utf8),
            createdAt: Date())
        let frame = SocketFrames.control(of: event, deviceID: Self.device, devices: ["d"])
        return try frame.map { try JSON($0.readableBytesView) }
    }

    @Test("login, logout, QR, passkey and state have frames of their own; other events have none")
    func controls() throws {
        let id = Self.device.uuidString.lowercased()
        let paired = try #require(try frame("connection.pair_success", #"{"pair_jid":"1:7@s.whatsapp.net"}"#))
        #expect(paired["code"].string == "LOGIN_SUCCESS")
        #expect(paired["message"].string == "Successfully pair with 1:7@s.whatsapp.net")
        #expect(paired["result"]["jid"].string == "1:7@s.whatsapp.net" && paired["result"]["device_id"].string == id)
        let unlinked = try #require(try frame("connection.logged_out", #"{"initiated_by":"api"}"#))
        #expect(unlinked["message"].string == "Device \(id) logged out (slot kept)")
        #expect(unlinked["result"]["devices"][0].string == "d")
        let removed = try #require(try frame("connection.logged_out", #"{"initiated_by":"phone"}"#))
        #expect(removed["message"].string != unlinked["message"].string)
        let qr = try #require(try frame("connection.qr", #"{"codes":["2@a"]}"#))
        #expect(qr["code"].string == "QR_CODE" && qr["result"]["codes"][0].string == "2@a")
        let passkey = try #require(try frame("connection.passkey_required", #"{"public_key":{"challenge":"c"}}"#))
        #expect(passkey["code"].string == "PASSKEY_REQUEST")
        #expect(passkey["result"]["public_key"]["challenge"].string == "c")
        let banned = try #require(try frame("connection.temporary_ban", "{}"))
        #expect(banned["code"].string == "DEVICE_STATE")
        #expect(banned["result"]["state"].string == "disconnected")
        #expect(banned["result"]["state_reason"].string == "temporary_ban")
        let until = #"{"reason":102,"expires_at":"2026-01-02T03:04:05Z"}"#
        let term = try #require(try frame("connection.temporary_ban", until))
        #expect(term["result"]["ban_code"].int == 102)
        #expect(term["result"]["ban_until"].string == "2026-01-02T03:04:05Z")
        #expect(try frame("message.received", "{}") == nil)
    }

    @Test(
        "what changes the state of a device has its frame, with the reason and nothing secret",
        arguments: [
            ("connection.connected", "connected", nil), ("connection.reconnecting", "reconnecting", "network"),
            ("connection.keepalive_timeout", "reconnecting", "network"),
            ("connection.keepalive_restored", "connected", nil),
            ("connection.pairing_code", "connecting", "pairing_code"),
            ("connection.stream_replaced", "disconnected", "stream_replaced"),
            ("connection.client_outdated", "disconnected", "client_outdated"),
        ] as [(String, String, String?)])
    func states(event: String, state: String, reason: String?) throws {
        let shown = try #require(try frame(event, #"{"code":"ABCD-1234"}"#))
        #expect(shown["code"].string == "DEVICE_STATE")
        #expect(shown["result"]["device_id"].string == Self.device.uuidString.lowercased())
        #expect(shown["result"]["state"].string == state && shown["result"]["state_reason"].string == reason)
        #expect(shown["result"]["code"].isNull)
    }

    @Test("a passkey's code, its failure and a login that ran out have frames without an event")
    func login() throws {
        func shown(_ news: LoginWatch.News) throws -> JSON {
            let frame = try JSON(SocketFrames.login(news, deviceID: Self.device).readableBytesView)
            #expect(frame.keys == ["code", "message", "result"])
            #expect(frame["result"]["device_id"].string == Self.device.uuidString.lowercased())
            return frame
        }
        let code = try shown(.confirmation(code: "ABCD-1234", skipsHandoff: true))
        #expect(code["code"].string == "PASSKEY_CONFIRMATION" && code["result"]["code"].string == "ABCD-1234")
        #expect(code["result"]["skip_handoff_ux"].bool == true)
        let failure = try shown(.failure("no such key", continuation: true))
        #expect(failure["code"].string == "PASSKEY_ERROR" && failure["message"].string == "no such key")
        #expect(failure["result"]["continuation"].bool == true)
        #expect(try shown(.timeout)["code"].string == "LOGIN_TIMEOUT")
        let unknown = try JSON(SocketFrames.unknown(String(repeating: "X", count: 500)).readableBytesView)
        #expect(unknown["code"].string == "ERROR" && unknown["result"]["error_code"].string == "unknown_code")
        #expect(unknown["message"].string == "unknown code: " + String(repeating: "X", count: 64))
        #expect(unknown["result"]["codes"].array.map(\.string) == ["FETCH_DEVICES"])
    }

    @Test("an event without a body, or with one that is no JSON, still makes a whole frame")
    func bodies() throws {
        for body in [nil, Array("{".utf8), Array("[]".utf8)] as [[UInt8]?] {
            let event = StoredEvent(
                id: "evt_1", type: "connection.pair_success", sequence: 1, body: body, createdAt: Date())
            let frame = try #require(SocketFrames.control(of: event, deviceID: Self.device, devices: .null))
            #expect(try JSON(frame.readableBytesView).keys == ["code", "message", "result"])
        }
    }
}
