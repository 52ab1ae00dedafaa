import AsyncHTTPClient
import Cryptography
import Foundation
import NIOCore
import NIOHTTP1
import Testing
import Transport

@testable import Sandbox

@Suite("The media server")
struct MediaServerTests {
    private struct Answer {
        let status: Int
        let body: Bytes
        let headers: HTTPHeaders
        var json: JSONValue { JSONValue.parse(body) ?? .null }
    }

    private func request(
        _ method: String, _ url: String, body: Bytes? = nil, headers: [String: String] = [:]
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method)
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let buffer = try await response.body.collect(upTo: 16 << 20)
        return Answer(status: Int(response.status.code), body: Bytes(buffer: buffer), headers: response.headers)
    }

    /// Asks for a media connection as a client does.
    private func auth(_ client: ScriptedClient, _ home: LinkedSandbox) async throws -> String {
        let answer = try await client.query("set", "w:m", Stanza("media_conn"))
        let node = try #require(answer.child("media_conn"))
        #expect(node.int("ttl") == 300 && node.int("auth_ttl") == 21_600 && node.int("max_buckets") == 12)
        let host = try #require(node.child("host")?["hostname"])
        #expect("http://\(host)" == home.addresses.media)
        return try #require(node["auth"])
    }

    private static func token(_ bytes: Bytes) -> String { Base64.encodeURLSafe(SHA256Digest.hash(bytes)) }

    @Test("what is uploaded comes back by its path, in whole and in part, until it is deleted")
    func roundTrip() async throws {
        try await LinkedSandbox.with { home in
            let (_, client, _) = try await home.link("12025550100")
            let auth = try await auth(client, home)
            let file = Bytes((0..<10_000).map { UInt8(truncatingIfNeeded: $0) })
            let token = Self.token(file)
            let base = home.addresses.media
            let upload = try await request(
                "POST", "\(base)/mms/image/\(token)%3D?auth=\(auth)&token=\(token)", body: file)
            #expect(upload.status == 200)
            let path = try #require(upload.json["direct_path"]?.stringValue)
            #expect(path.hasPrefix("/v/") && path.contains("?"))
            #expect(upload.json["url"]?.stringValue?.hasSuffix(path) == true)
            // The same bytes again are the same file.
            let again = try await request("POST", "\(base)/mms/image/\(token)?auth=\(auth)", body: file)
            #expect(again.json["direct_path"]?.stringValue == path)

            let whole = try await request("GET", "\(base)\(path)&hash=\(token)&mms-type=image&__wa-mms=")
            #expect(whole.status == 200 && whole.body == file)
            let part = try await request("GET", "\(base)\(path)", headers: ["Range": "bytes=100-199"])
            #expect(part.status == 206 && part.body == Bytes(file[100..<200]))
            #expect(part.headers.first(name: "Content-Range") == "bytes 100-199/10000")
            #expect(try await request("GET", "\(base)\(path)", headers: ["Range": "bytes=20000-"]).status == 416)
            let head = try await request("HEAD", "\(base)\(path)")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(try await request("GET", "\(base)\(path)&hash=\(Self.token([1]))").status == 404)

            let gone = try await request("DELETE", "\(base)/mms/image/\(token)?token=\(token)&auth=\(auth)")
            #expect(gone.status == 200)
            #expect(try await request("GET", "\(base)\(path)").status == 404)
            let events = await home.world.events.events(since: 0) { $0.type.rawValue.hasPrefix("media.") }
            #expect(events.map(\.type).contains(.mediaUploaded) && events.last?.type == .mediaDeleted)
        }
    }

    @Test("an upload needs a live token of this world, the hash of its body, and a size within the limit")
    func refusals() async throws {
        try await LinkedSandbox.with({ $0.settings.mediaSizeLimit = 1000 }) { home in
            let (_, client, account) = try await home.link("12025550100")
            let auth = try await auth(client, home)
            let base = home.addresses.media
            let file: Bytes = [1, 2, 3]
            let token = Self.token(file)
            #expect(try await request("POST", "\(base)/mms/image/\(token)", body: file).status == 401)
            #expect(try await request("POST", "\(base)/mms/image/\(token)?auth=\(auth)x", body: file).status == 401)
            let key = await home.world.random.constant("media/links", 32)
            let expired = MediaAuth(world: "default", phone: account.phone, expires: 1).text(key: key)
            #expect(try await request("POST", "\(base)/mms/image/\(token)?auth=\(expired)", body: file).status == 401)
            #expect(try await request("POST", "\(base)/mms/image/\(token)?auth=\(auth)", body: [9]).status == 415)
            let large = Bytes(repeating: 1, count: 1001)
            let refused = try await request("POST", "\(base)/mms/image/\(Self.token(large))?auth=\(auth)", body: large)
            #expect(refused.status == 413)
            #expect(try await request("GET", "\(base)/v/t62.7118-24/default_00.enc?oh=0&oe=0").status == 404)
        }
    }

    @Test("a link is good until it expires, and only as it was given out")
    func links() {
        let link = MediaLink(key: Bytes(repeating: 1, count: 32))
        let request = MediaRequest(method: "GET", target: link.path(name: "a_b", expires: 1000))
        #expect(MediaLink.name(inPath: request.path) == "a_b")
        #expect(request.world == "a")
        #expect(throws: Never.self) { try link.check(path: request.path, query: request.query, now: 999) }
        #expect(throws: MediaLink.Failure.forbidden) {
            try link.check(path: request.path, query: request.query, now: 1000)
        }
        var forged = request.query
        forged["oe"] = "fffffff"
        #expect(throws: MediaLink.Failure.forbidden) { try link.check(path: request.path, query: forged, now: 999) }
    }

    @Test("a phone's picture message can be fetched and opened by who gets it, and the phone reads what it is sent")
    func phones() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, _) = try await home.link("12025550100")
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            let picture: Bytes = [0xFF, 0xD8, 0xFF, 1, 2, 3]
            let kind = try #require(MediaKind.named("image"))
            let phone = await home.phones.phone(of: bob)
            let content = try await MessageContent.media(
                kind, phone.upload(picture, type: kind.uploadType, info: kind.info), mimetype: nil, caption: "look",
                fileName: nil, time: 1)
            _ = try await phone.send(content, to: .user("12025550100"))
            let received = try await home.message(companion, client, "picture") { $0["category"] == nil }
            #expect(received.stanza.type == "media" && received.stanza.child("enc")?["mediatype"] == "image")
            let message = try #require(try ReceivedContent(received.plaintext).content)
            #expect(message.kind == "image" && message.text == "look")
            let media = try #require(message.media)
            let file = try await request("GET", home.addresses.media + media.directPath)
            #expect(SHA256Digest.hash(file.body) == media.encryptedSHA256)
            #expect(try MediaCipher(key: media.key, info: media.kind.info).decrypt(file.body) == picture)
            #expect(await phone.file(of: content) == picture)
        }
    }

    @Test("a companion that cannot download a file gets a new path for it from its phone")
    func retry() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, account) = try await home.link("12025550100")
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            let kind = try #require(MediaKind.named("document"))
            let content = try await MessageContent.media(
                kind, home.phones.phone(of: bob).upload([1, 2, 3], type: kind.uploadType, info: kind.info),
                mimetype: nil, caption: nil, fileName: "a.txt", time: 1)
            let sent = try await home.phones.phone(of: bob).send(content, to: .user("12025550100"))
            _ = try await home.message(companion, client, "document") { $0["category"] == nil }
            let media = try #require(content.media)
            let name = try #require(MediaLink.name(inPath: MediaRequest(method: "GET", target: media.directPath).path))
            await home.world.media.delete(name)
            #expect(try await request("GET", home.addresses.media + media.directPath).status == 404)

            let key = Phone.retryKey(media.key)
            let iv = Bytes(repeating: 7, count: 12)
            let id = Bytes(sent.id.utf8)
            let asked = try AESGCM.seal([0x0A, UInt8(id.count)] + id, key: key, nonce: iv, aad: id)
            try await client.send(
                Stanza(
                    "receipt", ["id": .text(sent.id), "to": .jid(account.pn), "type": "server-error"],
                    children: [
                        Stanza("encrypt", children: [Stanza("enc_p", bytes: asked), Stanza("enc_iv", bytes: iv)]),
                        Stanza("rmr", ["jid": .jid(bob.lidJID), "from_me": "false"]),
                    ]))
            let notice = try await client.next("mediaretry") { $0.tag == "notification" && $0.type == "mediaretry" }
            #expect(notice.id == sent.id && notice.child("rmr")?["from_me"] == "false")
            let plaintext = try AESGCM.open(
                try #require(notice.child("encrypt")?.child("enc_p")?.bytesContent), key: key,
                nonce: try #require(notice.child("encrypt")?.child("enc_iv")?.bytesContent), aad: id)
            let fields = ProtoFields(lenient: plaintext)
            #expect(fields.uint(3) == 1)
            let again = try await request("GET", home.addresses.media + (try #require(fields.string(2))))
            #expect(again.status == 200)
            #expect(try MediaCipher(key: media.key, info: kind.info).decrypt(again.body) == [1, 2, 3])
        }
    }

    @Test("fault rules fail, spoil and slow down what the media server answers")
    func faults() async throws {
        try await LinkedSandbox.with { home in
            let account = try await home.world.createAccount(AccountDraft(phone: "12025550100"))
            let file = Bytes(repeating: 5, count: 2000)
            let path = await home.world.path(
                of: home.world.storeMedia(file, type: "image", owner: account.phone))
            let url = home.addresses.media + path
            func add(_ action: JSONValue) async throws {
                let rule = try FaultRule(json: ["match": ["kind": "download", "type": "image"], "action": action])
                _ = await home.world.faultRules?.add(rule)
            }
            try await add(["type": "http_status", "code": 503, "retry_after": 7])
            let failed = try await request("GET", url)
            #expect(failed.status == 503 && failed.headers.first(name: "Retry-After") == "7")
            try await add("http_corrupt")
            let corrupt = try await request("GET", url)
            #expect(corrupt.body.count == file.count && corrupt.body != file)
            try await add("http_truncate")
            await #expect(throws: (any Error).self) { try await request("GET", url) }
            try await add("reset")
            await #expect(throws: (any Error).self) { try await request("GET", url) }
            try await add(["type": "http_slow", "bytes_per_s": 100_000])
            #expect(try await request("GET", url).body == file)
            #expect(try await request("GET", url).body == file)
            let fired = await home.world.events.events(since: 0) { $0.type == .faultFired }
            #expect(fired.count == 5)
        }
    }

    @Test("files outlive a restart of a world on disk")
    func persistence() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "media-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var path = ""
        try await LinkedSandbox.with({ $0.dataDirectory = directory }) { home in
            _ = try await home.world.createAccount(AccountDraft(phone: "12025550100"))
            path = await home.world.path(
                of: home.world.storeMedia([4, 5, 6], type: "image", owner: "12025550100"))
        }
        try await LinkedSandbox.with({ $0.dataDirectory = directory }) { home in
            let answer = try await request("GET", home.addresses.media + path)
            #expect(answer.status == 200 && answer.body == [4, 5, 6])
        }
    }

    @Test("a profile picture's path leads to the picture")
    func pictures() async throws {
        try await LinkedSandbox.with { home in
            let (_, client, account) = try await home.link("12025550100")
            await home.world.setPicture([0xFF, 0xD8, 1], of: account, by: nil)
            let answer = try await client.query(
                "get", "w:profile:picture", Stanza("picture", ["query": "url", "type": "image"]),
                attributes: ["target": .jid(account.pn)])
            let path = try #require(answer.child("picture")?["direct_path"])
            let picture = try await request("GET", home.addresses.media + path)
            #expect(picture.status == 200 && picture.body == [0xFF, 0xD8, 1])
        }
    }
}
