import Cryptography
import Foundation

/// A request to the media server, taken apart.
struct MediaRequest: Sendable {
    /// `GET`, `POST` …
    let method: String
    /// Without the query, percent escapes decoded.
    let path: String
    let query: [String: String]
    /// Content of the `Range` header.
    let range: String?
    /// Content of the `Host` header.
    let host: String?
    var body: Bytes = []

    init(method: String, target: String, range: String? = nil, host: String? = nil, body: Bytes = []) {
        self.method = method
        self.range = range
        self.host = host
        self.body = body
        let mark = target.firstIndex(of: "?") ?? target.endIndex
        let raw = String(target[..<mark])
        path = raw.removingPercentEncoding ?? raw
        var query: [String: String] = [:]
        for pair in target[mark...].dropFirst().split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            query[parts[0]] = parts.count > 1 ? parts[1].removingPercentEncoding ?? parts[1] : ""
        }
        self.query = query
    }

    /// The world that the request names by its token or by the file it asks for; `nil` where neither does.
    var world: String? {
        if let auth = query["auth"] { return MediaAuth.world(in: auth) }
        let file = path.split(separator: "/").last.map(String.init) ?? ""
        guard let mark = file.lastIndex(of: "_") else { return nil }
        return String(file[..<mark])
    }
}

/// What the media server answers.
struct MediaAnswer: Sendable, Equatable {
    var status: Int
    var headers: [String: String] = [:]
    var body: Bytes = []

    static func text(_ status: Int, _ text: String) -> MediaAnswer {
        MediaAnswer(status: status, headers: ["Content-Type": "text/plain"], body: Bytes("\(text)\n".utf8))
    }

    static func json(_ value: JSONValue) -> MediaAnswer {
        MediaAnswer(status: 200, headers: ["Content-Type": "application/json"], body: Bytes(value.text.utf8))
    }

    /// A file, or the part of it that `range` asks for (`bytes=a-b`, `bytes=a-`, `bytes=-n`).
    static func file(_ bytes: Bytes, type: String, range: String?) -> MediaAnswer {
        var answer = MediaAnswer(
            status: 200,
            headers: ["Content-Type": type, "Cache-Control": "public, max-age=31536000", "Accept-Ranges": "bytes"],
            body: bytes)
        guard let range, range.hasPrefix("bytes="), !range.contains(",") else { return answer }
        let bounds = range.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard bounds.count == 2 else { return answer }
        let first: Int
        var last = bytes.count - 1
        if let start = Int(bounds[0]) {
            first = start
            if let end = Int(bounds[1]) { last = min(last, end) }
        } else if let tail = Int(bounds[1]) {
            first = max(0, bytes.count - max(0, tail))
        } else {
            return answer
        }
        guard first >= 0, first <= last else {
            return MediaAnswer(status: 416, headers: ["Content-Range": "bytes */\(bytes.count)"])
        }
        answer.status = 206
        answer.headers["Content-Range"] = "bytes \(first)-\(last)/\(bytes.count)"
        answer.body = Bytes(bytes[first...last])
        return answer
    }
}
