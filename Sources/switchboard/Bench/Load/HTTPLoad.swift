import Foundation
import NIOCore
import NIOPosix

/// What to send, over how many connections, and how fast.
struct HTTPLoadPlan: Sendable {
    /// `http://host:port` of the server.
    var base: String
    var connections: Int
    /// Ends after so many seconds, or when `limit` requests were answered.
    var seconds: Double
    var limit = Int.max
    /// Requests a second, sent whether or not earlier ones are answered; nil: each connection sends when it has its answer.
    var rate: Double?
    /// The bytes of a request, by connection and by number of the request.
    var request: @Sendable (_ connection: Int, _ number: Int) -> ByteBuffer

    /// A whole request. `body`: JSON.
    static func request(_ method: String, _ path: String, headers: [(String, String)], body: String? = nil)
        -> ByteBuffer
    {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        return ByteBuffer(string: text + "\r\n" + (body ?? ""))
    }
}

/// What came of it.
struct HTTPLoadOutcome: Sendable {
    var latencies = Latencies()
    var seconds = 0.0
    /// Answers by status.
    var statuses: [Int: Int] = [:]
    /// The body of the first answer that was no success.
    var firstFailure: String?
    /// Requests that were due and found no free connection.
    var late = 0

    var failures: Int { statuses.reduce(0) { $0 + ((200...299).contains($1.key) ? 0 : $1.value) } }
}

/// A load generator that costs little beside what it measures: ready-made requests, one thread, no HTTP library.
enum HTTPLoad {
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    struct Failure: Error, CustomStringConvertible { let description: String }

    static func run(_ plan: HTTPLoadPlan) async throws -> HTTPLoadOutcome {
        guard let url = URL(string: plan.base), let host = url.host(), let port = url.port else {
            throw Failure(description: "no address: \(plan.base)")
        }
        let loop = group.next()
        return try await loop.flatSubmit {
            let run = HTTPLoadRun(plan, loop)
            run.connect(host, port)
            return run.done.futureResult
        }.get()
    }
}

/// One run. All state on the loop.
private final class HTTPLoadRun: @unchecked Sendable {
    // Unchecked: every access is on `loop`, where the handlers' methods are called too.
    let plan: HTTPLoadPlan
    let loop: any EventLoop
    let done: EventLoopPromise<HTTPLoadOutcome>
    private var outcome = HTTPLoadOutcome()
    private var connections: [HTTPLoadConnection] = []
    /// In turn, so that none is closed by a server that waits for its next request.
    private var idle = CircularBuffer<HTTPLoadConnection>()
    /// When the requests that wait for a connection were due.
    private var due = CircularBuffer<NIODeadline>()
    private var number = 0
    private var started = NIODeadline.now()
    private var isOver = false

    init(_ plan: HTTPLoadPlan, _ loop: any EventLoop) {
        self.plan = plan
        self.loop = loop
        done = loop.makePromise()
    }

    func connect(_ host: String, _ port: Int) {
        let all = (0..<plan.connections).map { index in
            ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let connection = HTTPLoadConnection(index, self)
                        self.connections.append(connection)
                        try channel.pipeline.syncOperations.addHandler(connection)
                    }
                }
                .connect(host: host, port: port)
        }
        EventLoopFuture.whenAllSucceed(all, on: loop).whenComplete { result in
            switch result {
            case .success: self.begin()
            case .failure(let error): self.fail("cannot connect: \(error)")
            }
        }
    }

    private func begin() {
        started = .now()
        loop.scheduleTask(in: .nanoseconds(Int64(plan.seconds * 1e9))) { self.end() }
        idle = CircularBuffer(connections)
        if plan.rate == nil {
            for connection in connections { next(connection) }
        } else {
            tick()
        }
    }

    /// Sends what is due by now, and comes again in a millisecond.
    private func tick() {
        guard !isOver, let rate = plan.rate else { return }
        let passed = Double((NIODeadline.now() - started).nanoseconds) / 1e9
        let target = min(plan.limit, Int(passed * rate))
        while number + due.count < target {
            due.append(started + .nanoseconds(Int64(Double(number + due.count) / rate * 1e9)))
        }
        while let first = due.first, let connection = idle.popFirst() {
            due.removeFirst()
            send(connection, since: first)
        }
        outcome.late = max(outcome.late, due.count)
        loop.scheduleTask(in: .milliseconds(1)) { self.tick() }
    }

    private func next(_ connection: HTTPLoadConnection) {
        guard !isOver, number < plan.limit else { return }
        send(connection, since: .now())
    }

    private func send(_ connection: HTTPLoadConnection, since: NIODeadline) {
        connection.since = since
        connection.send(plan.request(connection.index, number))
        number += 1
    }

    func answered(_ connection: HTTPLoadConnection, status: Int, body: () -> String) {
        guard !isOver else { return }
        outcome.latencies.add((NIODeadline.now() - connection.since).nanoseconds)
        outcome.statuses[status, default: 0] += 1
        if !(200...299).contains(status), outcome.firstFailure == nil { outcome.firstFailure = body() }
        if outcome.latencies.count == plan.limit { return end() }
        if plan.rate == nil { next(connection) } else { idle.append(connection) }
    }

    func fail(_ reason: String) {
        guard !isOver else { return }
        isOver = true
        for connection in connections { connection.close() }
        done.fail(HTTPLoad.Failure(description: reason))
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        outcome.seconds = Double((NIODeadline.now() - started).nanoseconds) / 1e9
        for connection in connections { connection.close() }
        done.succeed(outcome)
    }
}

/// One connection with at most one request under way.
private final class HTTPLoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let index: Int
    var since = NIODeadline.now()
    private let run: HTTPLoadRun
    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()

    init(_ index: Int, _ run: HTTPLoadRun) {
        self.index = index
        self.run = run
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func send(_ request: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(request), promise: nil) }
    func close() { context?.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        guard let head = AnswerHead(received.readableBytesView) else { return }
        let length = head.length + head.bodyLength
        guard received.readableBytes >= length else { return }
        let start = received.readerIndex + head.length
        let answer = received
        received.clear()
        run.answered(self, status: head.status) {
            answer.getString(at: start, length: head.bodyLength) ?? ""
        }
    }

    func channelInactive(context: ChannelHandlerContext) { run.fail("the server closed a connection") }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { run.fail("\(error)") }
}

/// As much of an answer's head as its end needs: status, its own length, and that of the body.
struct AnswerHead {
    let status: Int
    let length: Int
    let bodyLength: Int

    /// Nil while the head is not complete.
    init?(_ bytes: ByteBufferView) {
        let found = bytes.withUnsafeBytes { buffer -> (Int, Int, Int)? in
            guard let base = buffer.baseAddress, buffer.count > 12, let end = buffer.firstOffset(of: "\r\n\r\n") else {
                return nil
            }
            let length = end + 4
            var bodyLength = 0
            var line = 0
            while line < length {
                if buffer[line] | 0x20 == UInt8(ascii: "c"), length - line > 16,
                    strncasecmp(
                        base.assumingMemoryBound(to: CChar.self) + line, "content-length:", 15) == 0
                {
                    for byte in buffer[(line + 15)..<length] where byte != UInt8(ascii: " ") {
                        guard (0x30...0x39).contains(byte) else { break }
                        bodyLength = bodyLength * 10 + Int(byte - 0x30)
                    }
                    break
                }
                guard let newline = memchr(base + line, 0x0A, length - line) else { break }
                line = UnsafeRawPointer(newline) - base + 1
            }
            let status = buffer[9..<12].reduce(0) { $0 * 10 + Int($1 &- 0x30) }
            return (status, length, bodyLength)
        }
        guard let found else { return nil }
        (status, length, bodyLength) = found
    }
}

extension UnsafeRawBufferPointer {
    /// Where a text stands for the first time.
    func firstOffset(of text: StaticString) -> Int? {
        guard let base = baseAddress, text.utf8CodeUnitCount > 0 else { return nil }
        var start = 0
        while count - start >= text.utf8CodeUnitCount {
            guard let found = memchr(base + start, Int32(text.utf8Start[0]), count - start) else { return nil }
            start = UnsafeRawPointer(found) - base
            guard count - start >= text.utf8CodeUnitCount else { return nil }
            if memcmp(found, text.utf8Start, text.utf8CodeUnitCount) == 0 { return start }
            start += 1
        }
        return nil
    }
}
