import Foundation
import GatewayTestSupport

/// A recorded request and its answer.
struct RestExchange {
    let index: Int
    /// What the request is about: `no credentials`, `empty body`.
    let name: String
    let method: String
    /// Path and query as they were sent.
    let path: String
    /// Method and pattern, parameters as `{}`: `GET /chats/{}/messages`.
    let route: String
    /// `none`, `admin`, `apikey`, `device`.
    let tier: String
    let headers: [String: String]
    let body: [UInt8]

    private let status: Int
    private let answerHeaders: [String: String]
    private let answer: AnswerTree

    init(_ vector: VectorCase, index: Int) throws {
        self.index = index
        name = vector.name
        method = try vector.string("method")
        path = try vector.string("path")
        route = try Self.pattern("\(method) \(vector.string("route"))")
        tier = try vector.string("auth")
        var headers = try Self.texts(vector.object("auth_headers"))
        if let text = try vector.optionalString("request_body") {
            body = Array(text.utf8)
            headers["Content-Type"] = "application/json"
        } else if let form = try vector.optionalObject("multipart") {
            body = try Self.multipart(form)
            headers["Content-Type"] = "multipart/form-data; boundary=\(Self.boundary)"
        } else {
            body = []
        }
        self.headers = headers
        status = try vector.int("status")
        answerHeaders = try Self.texts(vector.object("headers"))
        answer = AnswerTree(vector.value("response"))
    }

    /// `:name` and `{name}` become `{}`.
    static func pattern(_ route: String) -> String {
        route.split(separator: "/", omittingEmptySubsequences: false)
            .map { $0.hasPrefix(":") || $0.hasPrefix("{") ? "{}" : String($0) }.joined(separator: "/")
    }

    /// Where `ours` is not what was recorded; empty when the answers are equal in status, headers, words and members.
    func deviations(of ours: APIAnswer) -> [Deviation] {
        var found: [Deviation] = []
        if ours.status != status {
            found.append(Deviation(path: "status", recorded: "\(status)", ours: "\(ours.status)"))
        }
        for (name, value) in answerHeaders.sorted(by: { $0.key < $1.key }) where ours.headers[name] != value {
            found.append(Deviation(path: "header \(name)", recorded: value, ours: ours.headers[name]))
        }
        guard case .object = answer else {
            if !ours.body.isEmpty { found.append(Deviation(path: "body", recorded: nil, ours: ours.text)) }
            return found
        }
        found += envelopeFaults(of: ours)
        let message = answer["message"]?.string
        if ours.message != message {
            found.append(Deviation(path: "message", recorded: message, ours: ours.message))
        }
        let data = AnswerTree(ours.json)["data"]
        switch (answer["data"], data) {
        case (let recorded?, let data?): recorded.compare(with: data, at: "data", into: &found)
        case (let recorded?, nil): found.append(Deviation(path: "data", recorded: recorded.kind, ours: nil))
        case (nil, .object(let members)?):
            found += members.sorted { $0.key < $1.key }.map { $1.addition(at: "data.\($0)") }
        case (nil, let data?): found.append(data.addition(at: "data"))
        case (nil, nil): break
        }
        return found
    }

    /// The rules of the envelope (10-rest-api, section 2.2) that hold for every answer.
    private func envelopeFaults(of ours: APIAnswer) -> [Deviation] {
        let isSuccess = (200...299).contains(ours.status)
        let start = #"{"status":\#(isSuccess),"code":\#(ours.status),"message":""#
        var faults: [Deviation] = []
        if !ours.text.hasPrefix(start) { faults.append(Deviation(path: "envelope", recorded: start, ours: ours.text)) }
        let error = ours.json["error"] as? String
        if error != (isSuccess ? nil : ours.message) {
            faults.append(Deviation(path: "error", recorded: isSuccess ? nil : ours.message, ours: error))
        }
        let surplus = Set(ours.json.keys).subtracting(["status", "code", "message", "data", "error"])
        if !surplus.isEmpty {
            faults.append(Deviation(path: "envelope", recorded: nil, ours: surplus.sorted().joined(separator: " ")))
        }
        return faults
    }

    private static func texts(_ object: VectorCase) throws -> [String: String] {
        try object.members.keys.reduce(into: [:]) { $0[$1] = try object.string($1) }
    }

    private static let boundary = "transcript-boundary"

    /// The record tells field, file name, size and caption of an upload.
    private static func multipart(_ form: VectorCase) throws -> [UInt8] {
        let head =
            try "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(form.string("field"))\"; "
            + "filename=\"\(form.string("filename"))\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        let tail =
            try "\r\n--\(boundary)\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\n"
            + "\(form.string("caption"))\r\n--\(boundary)--\r\n"
        return try Array(head.utf8) + [UInt8](repeating: 0x20, count: form.int("size")) + Array(tail.utf8)
    }
}
