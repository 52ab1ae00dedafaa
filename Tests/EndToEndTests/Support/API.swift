import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport

/// An answer of the gateway or the sandbox.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    var json: JSON { (try? JSON(body)) ?? .null }
    var text: String { String(decoding: body, as: UTF8.self) }
}

/// A small HTTP client with a base URL and fixed headers: one caller of the API.
struct API: Sendable {
    let base: String
    var headers: [String: String] = [:]

    /// Fails at once when nobody listens: tests that kill what they talk to ask again themselves.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    func with(_ name: String, _ value: String) -> API {
        var copy = self
        copy.headers[name] = value
        return copy
    }

    func get(_ path: String) async throws -> Answer { try await send("GET", path) }
    func delete(_ path: String) async throws -> Answer { try await send("DELETE", path) }

    func post(_ path: String, _ body: [String: any Sendable] = [:], headers: [String: String] = [:]) async throws
        -> Answer
    {
        try await send("POST", path, try JSONSerialization.data(withJSONObject: body), headers)
    }

    func patch(_ path: String, _ body: [String: any Sendable]) async throws -> Answer {
        try await send("PATCH", path, try JSONSerialization.data(withJSONObject: body))
    }

    func put(_ path: String, _ body: [String: any Sendable]) async throws -> Answer {
        try await send("PUT", path, try JSONSerialization.data(withJSONObject: body))
    }

    func send(
        _ method: String, _ path: String, _ body: Data? = nil, _ extra: [String: String] = [:], seconds: Int64 = 60
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: base + path)
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body {
            request.headers.replaceOrAdd(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        for (name, value) in extra { request.headers.replaceOrAdd(name: name, value: value) }
        let response = try await Self.client.execute(request, timeout: .seconds(seconds))
        let bytes = try await response.body.collect(upTo: 32 * 1024 * 1024)
        return Answer(
            status: Int(response.status.code), headers: response.headers, body: [UInt8](bytes.readableBytesView))
    }
}
