import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Sandbox

/// A running sandbox, and a caller of its control API.
struct ControlClient: Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: JSONValue
        let bytes: [UInt8]
        let headers: [String: String]
        var text: String { String(decoding: bytes, as: UTF8.self) }
        var errorCode: String? { body["error"]?["code"]?.stringValue }
    }

    let server: SandboxServer
    let addresses: SandboxAddresses
    var token: String?
    var world: String?

    static func with(
        _ adjust: (inout SandboxConfiguration) -> Void = { _ in }, _ body: (ControlClient) async throws -> Void
    ) async throws {
        var configuration = SandboxConfiguration()
        (configuration.chatPort, configuration.controlPort, configuration.mediaPort) = (0, 0, 0)
        adjust(&configuration)
        let server = SandboxServer(configuration: configuration)
        let client = ControlClient(server: server, addresses: try await server.start())
        do { try await body(client) } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    func call(
        _ method: String, _ path: String, _ body: JSONValue? = nil, bytes: [UInt8]? = nil,
        headers: [String: String] = [:], root: String = "/v1"
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: addresses.control + root + path)
        request.method = .init(rawValue: method)
        if let body { request.body = .bytes(ByteBuffer(string: body.text)) }
        if let bytes { request.body = .bytes(ByteBuffer(bytes: bytes)) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let world { request.headers.add(name: "X-Sandbox-World", value: world) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let buffer = try await response.body.collect(upTo: 64 << 20)
        let content = Array(buffer.readableBytesView)
        return Answer(
            status: Int(response.status.code), body: JSONValue.parse(content) ?? .null, bytes: content,
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 }))
    }

    /// The answer's body; fails unless the status is 200.
    func get(_ path: String) async throws -> JSONValue { try await ok(call("GET", path)) }
    func post(_ path: String, _ body: JSONValue = [:]) async throws -> JSONValue {
        try await ok(call("POST", path, body))
    }

    private func ok(_ answer: Answer) throws -> JSONValue {
        guard answer.status == 200 else { throw TestFailure("\(answer.status) \(answer.text)") }
        return answer.body
    }
}
