import AsyncHTTPClient
import Foundation
import NIOCore
import Testing

@testable import Gateway

@Suite("Where a forwarded request goes")
struct ForwardAddressTests {
    private static let owner = "http://10.0.0.2:7001"

    @Test(
        "a target that is no path cannot change the host, port or user",
        arguments: [
            "*@10.0.0.9:8080/devices/me", "@10.0.0.9/devices/me", ":x@10.0.0.9:8080/devices/me", "0/devices/me",
            ".example.com/devices/me", "http://10.0.0.9/devices/me", "*", "", "?a@10.0.0.9/devices/me",
        ])
    func foreign(target: String) {
        #expect(ForwardAddress(owner: Self.owner, target: target) == nil)
        #expect(ForwardAddress(owner: "http://node-2.internal", target: target) == nil)
    }

    @Test(
        "a path goes to the owner whatever it contains, and is signed as it will be sent",
        arguments: [
            ("/devices/me?a=b&c=%20d", "/devices/me?a=b&c=%20d"), ("//10.0.0.9/x", "//10.0.0.9/x"),
            ("/x@10.0.0.9:8080/y", "/x@10.0.0.9:8080/y"), ("/a|b?c=d|e", "/a%7Cb?c=d%7Ce"), ("/a?", "/a?"),
            ("/chats/1%40lid/messages", "/chats/1%40lid/messages"), ("/a#b", "/a"),
        ])
    func own(target: String, signed: String) throws {
        for owner in [Self.owner, "https://node-2.internal", "http://[fd00::2]:7001", "http://balancer/node-2"] {
            let address = try #require(ForwardAddress(owner: owner, target: target), "\(owner)")
            #expect(address.url == owner + target && address.target == signed, "\(owner): \(address)")
        }
    }

    @Test(
        "an owner without a usable address gets nothing",
        arguments: ["", "node-2", "ftp://node-2", "http://", "http://u:p@n"])
    func noOwner(owner: String) {
        #expect(ForwardAddress(owner: owner, target: "/devices/me") == nil)
    }

    @Test("only what happened before a byte was sent counts as not run")
    func failures() {
        for (error, expected): (any Error, ClusterForwarder.Failure) in [
            (HTTPClientError.getConnectionFromPoolTimeout, .crowded), (HTTPClientError.connectTimeout, .unreachable),
            (HTTPClientError.tlsHandshakeTimeout, .unreachable),
            (IOError(errnoCode: ECONNREFUSED, reason: "connect"), .unreachable),
            (IOError(errnoCode: ECONNRESET, reason: "read"), .unknown), (HTTPClientError.deadlineExceeded, .unknown),
            (HTTPClientError.remoteConnectionClosed, .unknown), (HTTPClientError.readTimeout, .unknown),
            (CancellationError(), .unknown),
        ] {
            #expect(ClusterForwarder.failure(error) == expected, "\(error)")
        }
    }
}
