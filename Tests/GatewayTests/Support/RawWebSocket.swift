import NIOCore
import NIOPosix
import Testing

/// A WebSocket client by hand, so that it can also do what a library would not.
struct RawWebSocket {
    struct Frame: Equatable {
        let opcode: UInt8
        let payload: [UInt8]

        var text: String { String(decoding: payload, as: UTF8.self) }
        /// Code of a close frame.
        var closeCode: Int? {
            guard opcode == 8, payload.count >= 2 else { return nil }
            return Int(payload[0]) << 8 | Int(payload[1])
        }
    }

    /// Status line and headers of the answer.
    let head: String
    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var received: ByteBuffer

    /// Asks for a WebSocket at `target` with `headers` beside those of the handshake, and hands it to `body`.
    static func open<Result: Sendable>(
        _ port: Int, _ target: String, _ headers: [String], key: String = "dGhlIHNhbXBsZSBub25jZQ==",
        _ body: (inout RawWebSocket) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let fields =
                ["Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
                + ["Sec-WebSocket-Key: \(key)"] + headers
            try await outbound.write(
                ByteBuffer(string: "GET \(target) HTTP/1.1\r\n" + fields.joined(separator: "\r\n") + "\r\n\r\n"))
            var iterator = inbound.makeAsyncIterator()
            var received = ByteBuffer()
            var head = ""
            while !head.hasSuffix("\r\n\r\n") {
                if let byte = received.readBytes(length: 1) {
                    head += String(decoding: byte, as: UTF8.self)
                } else if var piece = try await iterator.next() {
                    received.writeBuffer(&piece)
                } else {
                    break
                }
            }
            var socket = RawWebSocket(head: head, iterator: iterator, outbound: outbound, received: received)
            return try await body(&socket)
        }
    }

    private init(
        head: String, iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, received: ByteBuffer
    ) {
        self.head = head
        self.iterator = iterator
        self.outbound = outbound
        self.received = received
    }

    /// The next frame; nil when the connection ended.
    mutating func next() async throws -> Frame? {
        while true {
            if let frame = takeFrame() { return frame }
            guard var piece = try await iterator.next() else { return nil }
            received.writeBuffer(&piece)
        }
    }

    private mutating func takeFrame() -> Frame? {
        let start = received
        guard let first: UInt8 = received.readInteger(), let second: UInt8 = received.readInteger() else {
            received = start
            return nil
        }
        var length = Int(second & 0x7F)
        if length == 126, let long: UInt16 = received.readInteger() { length = Int(long) }
        guard length < 126 || start.readableBytes >= 4 + length, let payload = received.readBytes(length: length) else {
            received = start
            return nil
        }
        return Frame(opcode: first & 0x0F, payload: payload)
    }

    func send(_ opcode: UInt8, _ payload: [UInt8], masked: Bool = true) async throws {
        var frame = ByteBuffer()
        frame.writeInteger(0x80 | opcode)
        if payload.count < 126 {
            frame.writeInteger(UInt8(payload.count) | (masked ? 0x80 : 0))
        } else {
            frame.writeInteger(126 | (masked ? 0x80 : 0) as UInt8)
            frame.writeInteger(UInt16(payload.count))
        }
        let mask: [UInt8] = [1, 2, 3, 4]
        if masked { frame.writeBytes(mask) }
        frame.writeBytes(masked ? payload.enumerated().map { $1 ^ mask[$0 % 4] } : payload)
        try await outbound.write(frame)
    }
}
