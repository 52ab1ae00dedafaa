import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Calls that set a run up, outside of what is measured.
struct LoadAPI: Sendable {
    struct Refused: Error, CustomStringConvertible { let description: String }

    let base: String
    var header: (name: String, value: String)?

    func with(_ name: String, _ value: String) -> LoadAPI { LoadAPI(base: base, header: (name, value)) }

    /// The answer's JSON. Throws ``Refused`` when it is no success.
    func call(_ method: String, _ path: String, _ body: String? = nil) async throws -> LoadJSON {
        try LoadJSON(Data(try await bytes(method, path, body).readableBytesView))
    }

    func text(_ path: String) async throws -> String { String(buffer: try await bytes("GET", path, nil)) }

    private func bytes(_ method: String, _ path: String, _ body: String?) async throws -> ByteBuffer {
        var request = HTTPClientRequest(url: base + path)
        request.method = HTTPMethod(rawValue: method)
        if let header { request.headers.add(name: header.name, value: header.value) }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        let bytes = try await response.body.collect(upTo: 256 << 20)
        guard (200...299).contains(response.status.code) else {
            throw Refused(
                description: "\(method) \(path): \(response.status.code) \(String(buffer: bytes).prefix(300))")
        }
        return bytes
    }
}

/// A JSON value, read by names.
struct LoadJSON {
    private let value: Any?

    init(_ data: Data) throws { value = data.isEmpty ? nil : try JSONSerialization.jsonObject(with: data) }
    private init(_ value: Any?) { self.value = value }

    subscript(name: String) -> LoadJSON { LoadJSON((value as? [String: Any])?[name]) }
    var items: [LoadJSON] { (value as? [Any] ?? []).map { LoadJSON($0) } }
    var number: Double { (value as? NSNumber)?.doubleValue ?? 0 }

    /// Throws when there is no text here.
    var text: String {
        get throws {
            guard let text = value as? String else { throw LoadAPI.Refused(description: "no text in an answer") }
            return text
        }
    }
}
