import AsyncHTTPClient
import Foundation
import GatewayTestSupport
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Tenancy
import TestSupport
import Testing

@testable import Gateway

/// Work that does not hear that it is cancelled: a send that waits for its acknowledgement, a statement on a frozen database.
@Suite("Time limits hold for work that hears nothing", .timeLimit(.minutes(3)))
struct DeadlineTests {
    private static let message = "/chats/492522798642/messages"

    /// A paired device whose sends wait for `letGo`.
    private static func deafDevice(
        _ api: GatewayFixture
    ) async throws -> (NewDevice, FakeDeviceClient, letGo: @Sendable () -> Void) {
        let device = try await api.device(of: try await api.tenant())
        let session = try await api.pair(device)
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        session.change {
            $0.sendGate = gate
            $0.isDeaf = true
        }
        return (device, session, { opener.finish() })
    }

    @Test("a request is answered 504 at its deadline")
    func request() async throws {
        try await GatewayFixture.run { api in
            let (device, _, letGo) = try await Self.deafDevice(api)
            var configuration = api.configuration
            configuration.server.requestTimeout = .seconds(1)
            let gateway = InProcessGateway(api.dependencies, configuration: configuration) {
                Int64(Date().timeIntervalSince1970)
            }
            let answer = APIAnswer(
                try await gateway.send(
                    "POST", Self.message,
                    headers: ["Authorization": "Bearer \(device.token)", "Content-Type": "application/json"],
                    body: Array(#"{"text":"a"}"#.utf8)))
            #expect(answer.status == 504 && answer.errorCode == "http_deadline", "\(answer.text)")
            letGo()
        }
    }

    @Test("work on a loop stays there, gives its value or its error, and is left behind at its deadline")
    func onLoop() async throws {
        struct Failed: Error {}
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let executor = LoopExecutor(loop)
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        try await Task(executorPreference: executor) {
            let wasOnLoop = try await Deadline.run(.seconds(600), on: executor) {
                let before = loop.inEventLoop
                await Task { await Task.yield() }.value
                return before && loop.inEventLoop
            }
            #expect(wasOnLoop)
            await #expect(throws: Failed.self) {
                try await Deadline.run(.seconds(600), on: executor) { throw Failed() }
            }
            await #expect(throws: APIError.self) {
                try await Deadline.run(.milliseconds(10), on: executor) { await Task { for await _ in gate {} }.value }
            }
        }.value
        opener.finish()
    }

    @Test("the caller's cancellation ends work on a loop though it hears nothing")
    func cancelledOnLoop() async throws {
        let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.next())
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let running = Task(executorPreference: executor) {
            try await Deadline.run(.seconds(600), on: executor) {
                start.finish()
                await Task { for await _ in gate {} }.value
            }
        }
        for await _ in started {}
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        opener.finish()
    }

    @Test(
        "a body that stops coming is 408, one that comes slowly is read, on a loop and on the pool",
        arguments: [true, false])
    func slowBody(onLoop: Bool) async throws {
        let executor = onLoop ? LoopExecutor(MultiThreadedEventLoopGroup.singleton.next()) : nil
        let head = HTTPRequest(
            method: .post, scheme: nil, authority: nil, path: "/", headerFields: [.transferEncoding: "chunked"])
        func read(_ pieces: AsyncStream<ByteBuffer>, idleLimit: Duration, limit: Int = 8) async throws -> [UInt8] {
            let request = Request(head: head, body: RequestBody(asyncSequence: pieces))
            return try await Task(executorPreference: executor) {
                try await BodyReader.read(request, limit: limit, on: executor, idleLimit: idleLimit)
            }.value
        }
        func failure(_ pieces: AsyncStream<ByteBuffer>, idleLimit: Duration, limit: Int = 8) async throws -> Int? {
            do {
                _ = try await read(pieces, idleLimit: idleLimit, limit: limit)
                return nil
            } catch let error as APIError {
                return error.status
            }
        }
        let (silent, feeder) = AsyncStream.makeStream(of: ByteBuffer.self)
        feeder.yield(ByteBuffer(string: "half"))
        #expect(try await failure(silent, idleLimit: .milliseconds(30)) == 408)
        let idleLimit = Duration.seconds(4)
        let (slow, slowFeeder) = AsyncStream.makeStream(of: ByteBuffer.self)
        let feeding = Task {
            // In all it takes longer than the client may be silent, more than twice; in each such time many pieces come.
            let end = ContinuousClock.now + idleLimit * 5 / 2
            var fed: [UInt8] = []
            while ContinuousClock.now < end {
                slowFeeder.yield(ByteBuffer(string: "ab"))
                fed += Array("ab".utf8)
                try await Task.sleep(for: .milliseconds(50))
            }
            slowFeeder.finish()
            return fed
        }
        let came = try await read(slow, idleLimit: idleLimit, limit: 1000)
        #expect(try await feeding.value == came)
        let (long, longFeeder) = AsyncStream.makeStream(of: ByteBuffer.self)
        for _ in 0..<5 { longFeeder.yield(ByteBuffer(string: "ab")) }
        #expect(try await failure(long, idleLimit: .seconds(600)) == 413)
    }

    @Test(
        "large bodies, and bodies whose length is not told, are read on other threads than the loops'",
        arguments: [
            ("65536", nil, false), ("65537", nil, true), (nil, nil, false), (nil, "chunked", true),
            ("99999999999999999999", nil, true),
        ] as [(String?, String?, Bool)])
    func placement(length: String?, encoding: String?, mayBeLarge: Bool) {
        #expect(Edge.mayBeLarge(contentLength: length, encoding: encoding) == mayBeLarge)
    }

    @Test("a shutdown goes on past requests that do not end")
    func shutdown() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            let (device, session, letGo) = try await Self.deafDevice(api)
            let sending = Task {
                var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(Self.message)")
                request.method = .POST
                request.headers = ["Authorization": "Bearer \(device.token)", "Content-Type": "application/json"]
                request.body = .bytes(ByteBuffer(string: #"{"text":"a"}"#))
                return try await HTTPClient.shared.execute(request, timeout: .seconds(120)).status
            }
            _ = try await eventually("the send") { session.now.sent.isEmpty ? nil : true }
            await server.stop(patience: .milliseconds(50))
            letGo()
            #expect((try? await sending.value) != .ok)
        }
    }

    @Test("a database that does not answer makes the node unready at once, and is not asked again before it did")
    func readiness() async throws {
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let asked = Atomic(0)
        let probe = ReadinessProbe(limit: .milliseconds(10)) {
            asked.add(1, ordering: .relaxed)
            await Task { for await _ in gate {} }.value
        }
        let later = ContinuousClock.now + .seconds(2)
        while ContinuousClock.now < later {
            #expect(await probe.isReachable() == false)
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(asked.load(ordering: .relaxed) == 1)
        opener.finish()
        _ = try await eventually("the database being back") { await probe.isReachable() ? true : nil }
    }
}
