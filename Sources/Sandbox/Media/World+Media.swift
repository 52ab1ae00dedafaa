import Cryptography
import Foundation
import OrderedCollections
import Transport

/// The media server of a world: who may upload, what is stored, what is handed out (09, section 20; 05, section 26.8).
extension World {
    private var mediaKey: Bytes { random.constant("media/links", 32) }
    private var links: MediaLink { MediaLink(key: mediaKey) }

    /// Hosts as `media_conn` names them; the first is used for uploads.
    var mediaHosts: [String] {
        settings.mediaHosts.isEmpty ? [mediaHost ?? "mmg.whatsapp.net"] : settings.mediaHosts
    }

    /// `<media_conn>`: the first child, with all attributes that whatsmeow asks for.
    func answerMedia(_ request: IQRequest) throws -> Stanza {
        guard request.stanza.child("media_conn") != nil else { throw IQError.notImplemented }
        let auth = MediaAuth(
            world: id, phone: request.account.phone, expires: clock.seconds + Int64(settings.mediaAuthTTL))
        return request.result(
            Stanza(
                "media_conn",
                [
                    "auth": .text(auth.text(key: mediaKey)), "ttl": .int(settings.mediaTTL),
                    "auth_ttl": .int(settings.mediaAuthTTL), "max_buckets": "12", "id": .text(newStanzaID()),
                ],
                children: mediaHosts.map { Stanza("host", ["hostname": .text($0), "type": "primary"]) }))
    }

    // MARK: Files

    /// Stores a file and returns it; the same bytes of the same type are stored once.
    func storeMedia(_ bytes: Bytes, type: String, owner: String) -> MediaStore.Blob {
        media.drop(before: clock.seconds - Int64(settings.mediaLifetime))
        let hash = Hex.encode(SHA256Digest.hash(bytes))
        if let known = media.find(type: type, hash: hash) { return known }
        let blob = MediaStore.Blob(
            name: "\(id)_\(Hex.encode(random.stream("media").bytes(12)))", type: type, hash: hash, size: bytes.count,
            owner: owner, created: clock.seconds)
        media.put(blob, bytes, budget: settings.mediaMemory)
        counters.mediaUploads += 1
        counters.mediaBytesIn += bytes.count
        return blob
    }

    func path(of blob: MediaStore.Blob) -> String {
        links.path(name: blob.name, expires: blob.created + Int64(settings.mediaLifetime))
    }

    /// The stored bytes behind a path that this world gave out, also when they were deleted meanwhile.
    func mediaBytes(atPath path: String) -> Bytes? {
        MediaLink.name(inPath: MediaRequest(method: "GET", target: path).path).flatMap { media.blob($0) }
            .flatMap { media.bytes(of: $0) }
    }

    // MARK: Requests

    /// The answer to a request, without the faults that may spoil it.
    func answer(media request: MediaRequest) -> MediaAnswer {
        switch request.method {
        case "GET", "HEAD": return download(request)
        case "POST": return upload(request)
        case "DELETE": return delete(request)
        case "OPTIONS":
            return MediaAnswer(
                status: 204,
                headers: [
                    "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
                    "Access-Control-Allow-Headers": "*",
                ])
        default: return .text(405, "method not allowed")
        }
    }

    /// The account whose token the request shows; `nil` when it is forged, expired or missing.
    func uploader(_ request: MediaRequest) -> String? {
        guard let text = request.query["auth"], let auth = MediaAuth(text, key: mediaKey), auth.world == id,
            auth.expires > clock.seconds
        else { return nil }
        return auth.phone
    }

    /// `/mms/<type>/<token>`, `/newsletter/newsletter-<type>/<token>`, `/product/image/…`, `/pps/…`.
    private static let uploadRoots: Set<String> = ["mms", "newsletter", "product", "pps"]

    /// Type and token of an upload's or deletion's path.
    static func uploadTarget(_ path: String) -> (type: String, token: String)? {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count >= 3, uploadRoots.contains(parts[0]), let token = parts.last else { return nil }
        return (parts[1], token)
    }

    private func upload(_ request: MediaRequest) -> MediaAnswer {
        guard let target = Self.uploadTarget(request.path) else { return .text(404, "no such upload") }
        guard let phone = uploader(request) else { return .text(401, "unknown or expired auth") }
        if request.query["resume"] == "1" { return .text(404, "nothing to resume") }
        guard request.body.count <= settings.mediaSizeLimit else { return .text(413, "too large") }
        guard MediaToken.normalised(target.token) == MediaToken.of(SHA256Digest.hash(request.body)) else {
            violation("media_token", "\(request.path) does not name the hash of its body")
            return .text(415, "the token is not the hash of the body")
        }
        let blob = storeMedia(request.body, type: target.type, owner: phone)
        let path = path(of: blob)
        events.emit(
            .mediaUploaded, account: phone,
            [
                "name": .string(blob.name), "type": .string(blob.type), "size": .number(blob.size),
                "direct_path": .string(path),
            ])
        var answer: [String: JSONValue] = [
            "url": .string("https://\(mediaHosts.first ?? "mmg.whatsapp.net")\(path)"), "direct_path": .string(path),
            "handle": .string(Base64.encodeURLSafe(HMACSHA256.authenticate(Bytes(blob.name.utf8), key: mediaKey))),
            "object_id": .string(String(blob.hash.prefix(16))),
        ]
        if target.type == "biz-cover-photo" {
            answer["meta_hmac"] = .string(String(blob.hash.suffix(32)))
            answer["ts"] = .int(clock.seconds)
            answer["fbid"] = .string(String(blob.created))
        }
        return .json(.object(answer))
    }

    private func download(_ request: MediaRequest) -> MediaAnswer {
        if let page = VersionPages.answer(target: request.path, revision: settings.clientRevision) {
            return MediaAnswer(
                status: page.status, headers: ["Content-Type": page.contentType], body: Bytes(page.body.utf8))
        }
        if let picture = pictureBytes(atPath: request.path) {
            return .file(picture, type: "image/jpeg", range: request.range)
        }
        guard let name = MediaLink.name(inPath: request.path), let blob = media.blob(name) else {
            return .text(404, "not found")
        }
        do {
            try links.check(path: request.path, query: request.query, now: clock.seconds)
        } catch {
            return .text(403, "the link is forged or has expired")
        }
        if blob.isDeleted { return .text(settings.mediaGoneStatus, "gone") }
        if settings.mediaHashCheck, let shown = request.query["hash"], !shown.isEmpty,
            MediaToken.normalised(shown) != MediaToken.of(Hex.decode(blob.hash) ?? [])
        {
            return .text(404, "no file with this hash")
        }
        guard let bytes = media.bytes(of: blob) else { return .text(404, "not found") }
        counters.mediaDownloads += 1
        counters.mediaBytesOut += bytes.count
        events.emit(
            .mediaDownloaded, account: blob.owner,
            ["name": .string(blob.name), "type": .string(blob.type), "size": .number(blob.size)])
        return .file(bytes, type: "application/octet-stream", range: request.range)
    }

    private func delete(_ request: MediaRequest) -> MediaAnswer {
        guard let target = Self.uploadTarget(request.path) else { return .text(404, "not found") }
        guard let phone = uploader(request) else { return .text(401, "unknown or expired auth") }
        let hash = Hex.encode(Base64.decodeURLSafe(MediaToken.normalised(target.token)) ?? [])
        if let blob = media.find(type: target.type, hash: hash) {
            media.delete(blob.name)
            events.emit(
                .mediaDeleted, account: phone, ["name": .string(blob.name), "type": .string(blob.type)])
        }
        return .json([:])
    }

    // MARK: Pictures

    private static let pictureFolder = "/v/t61.24694-24/"

    /// The path of a profile or group picture. `owner`: phone number or group id.
    func picturePath(owner: String, id pictureID: String) -> String {
        "\(Self.pictureFolder)\(id)_\(owner).\(pictureID).jpg?ccb=11-4&oh=0&oe=0"
    }

    private func pictureBytes(atPath path: String) -> Bytes? {
        guard path.hasPrefix(Self.pictureFolder), path.hasSuffix(".jpg"), let mark = path.lastIndex(of: "_") else {
            return nil
        }
        let parts = path[path.index(after: mark)...].dropLast(4).split(separator: ".").map(String.init)
        guard parts.count == 2 else { return nil }
        let picture = accounts[parts[0]]?.picture ?? groups[parts[0]]?.picture
        return picture?.id == parts[1] ? picture?.jpeg : nil
    }
}
