import Cryptography
import Foundation
import Sandbox
import Testing
import Transport

/// Every request that a real client sent, as `stanzas.json` records it, must be answered by the capability it belongs to.
@Suite("Requests recorded from a real client")
struct StanzaVectorTests {
    @Test("no recorded request gets 501, every recorded message, receipt and call gets its ack")
    func everyRequestIsAnswered() async throws {
        let cases = try Self.cases()
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("563990812625")
            let client = try await sandbox.online(try await sandbox.pair(account))
            let group = await sandbox.world.createGroup(creator: account, subject: "Vectors", participants: []).group
            var asked = 0
            var acked = 0
            for (name, stanza) in cases where name != "logout" {
                var stanza = stanza
                if stanza.to?.isGroup == true { stanza.attributes["to"] = .jid(group.jid) }
                stanza["id"] = "v\(asked + acked)"
                switch stanza.tag {
                case "iq":
                    guard stanza.type == "get" || stanza.type == "set" else { continue }
                    asked += 1
                    try await client.send(stanza)
                    let id = stanza.id
                    let answer = try await client.next("answer to \(name)") { $0.tag == "iq" && $0.id == id }
                    let key = "\(stanza["xmlns"] ?? "") \(stanza.type ?? "") \(stanza.firstChild?.tag ?? "none")"
                    // Pairing requests belong to another connection.
                    if stanza["xmlns"] == "md" { continue }
                    #expect(answer.child("error")?["code"] != "501", "\(name): \(key)")
                case "message", "receipt", "call":
                    acked += 1
                    let ack = try await client.sendForAck(stanza)
                    #expect(ack["class"] == stanza.tag, "\(name)")
                default: try await client.send(stanza)
                }
            }
            #expect(asked > 80 && acked > 50)
            print("stanzas.json: \(asked) requests answered, \(acked) acks")
        }
    }

    private static func cases() throws -> [(String, Stanza)] {
        let folder = ProcessInfo.processInfo.environment["SWITCHBOARD_VECTORS"] ?? "../shared/vectors"
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/stanzas.json"))
        guard let cases = JSONValue.parse(data)?["cases"]?.arrayValue else {
            throw TestFailure("stanzas.json has no cases")
        }
        return cases.flatMap { entry in
            (entry["stanzas"]?.arrayValue ?? []).compactMap { item in
                guard item["from"]?.stringValue == "client", let node = item["node"].flatMap(stanza) else { return nil }
                return (entry["name"]?.stringValue ?? "", node)
            }
        }
    }

    private static func stanza(_ json: JSONValue) -> Stanza? {
        guard let tag = json["tag"]?.stringValue else { return nil }
        var result = Stanza(tag)
        for pair in json["attrs"]?.arrayValue ?? [] {
            guard let entry = pair.arrayValue, entry.count == 2, let key = entry[0].stringValue else { continue }
            if let text = entry[1]["str"]?.stringValue {
                result[key] = text
            } else if let jid = entry[1]["jid"]?["text"]?.stringValue.flatMap({ JID($0) }) {
                result.attributes[key] = .jid(jid)
            }
        }
        guard let content = json["content"], content != .null else { return result }
        if let nodes = content["nodes"]?.arrayValue {
            result.content = .children(nodes.compactMap(stanza))
        } else if let bytes = content["bytes"]?.stringValue.flatMap({ Hex.decode($0) }) {
            result.content = .bytes(bytes)
        } else if let text = content["str"]?.stringValue {
            result.content = .text(text)
        }
        return result
    }
}
