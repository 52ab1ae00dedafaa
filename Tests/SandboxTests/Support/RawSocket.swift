import Cryptography
import Foundation
import NIOCore
import NIOPosix

/// A WebSocket client in its own few lines, so that tests can send what no library would.
final class RawSocket: Sendable {
    enum Event: Sendable, Equatable {
        case binary(Bytes)
        /// Status code of a Close frame.
        case closeFrame(UInt16?)
        /// The TCP connection ended.
        case ended
        /// Anything but 101 as answer to the upgrade.
        case refused(String)
    }

    private let channel: any Channel
    private let stream: AsyncStream<Event>

    private init(channel: any Channel, stream: AsyncStream<Event>) {
        self.channel = channel
        self.stream = stream
    }

    var events: AsyncStream<Event> { stream }

    /// Connects to `ws://host:port/path` and asks for the upgrade.
    static func connect(_ url: String, headers: [String: String] = [:]) async throws -> RawSocket {
        guard let parts = URLComponents(string: url), let host = parts.host, let port = parts.port else {
            throw TestFailure("not a URL: \(url)")
        }
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameReader(continuation))
                }
            }
            .connect(host: host, port: port).get()
        var request =
            "GET \(parts.path)?\(parts.query ?? "") HTTP/1.1\r\nHost: \(host):\(port)\r\nUpgrade: websocket\r\n"
        request += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        for header in headers { request += "\(header.key): \(header.value)\r\n" }
        try await channel.writeAndFlush(ByteBuffer(string: request + "\r\n"))
        return RawSocket(channel: channel, stream: stream)
    }

    /// Sends one WebSocket frame, masked with zeros.
    func send(_ bytes: Bytes, opcode: UInt8 = 2, fin: Bool = true) async throws {
        var buffer = ByteBuffer()
        buffer.writeInteger((fin ? 0x80 : 0) | opcode)
        if bytes.count < 126 {
            buffer.writeInteger(0x80 | UInt8(bytes.count))
        } else if bytes.count < 65_536 {
            buffer.writeInteger(UInt8(0x80 | 126))
            buffer.writeInteger(UInt16(bytes.count))
        } else {
            buffer.writeInteger(UInt8(0x80 | 127))
            buffer.writeInteger(UInt64(bytes.count))
        }
        buffer.writeInteger(UInt32(0))
        buffer.writeBytes(bytes)
        try await channel.writeAndFlush(buffer)
    }

    func sendClose() async throws { try await send([0x03, 0xE8], opcode: 8) }

    /// Ends the TCP connection without a Close frame.
    func drop() async { try? await channel.close() }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// HTTP answer, then server frames.
private final class FrameReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let continuation: AsyncStream<RawSocket.Event>.Continuation
    private var buffer = ByteBuffer()
    private var isUpgraded = false

    init(_ continuation: AsyncStream<RawSocket.Event>.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        buffer.writeBuffer(&piece)
        if !isUpgraded {
            let text = String(buffer: buffer)
            guard let end = text.range(of: "\r\n\r\n") else { return }
            guard text.hasPrefix("HTTP/1.1 101") else {
                continuation.yield(.refused(text))
                return
            }
            isUpgraded = true
            buffer.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
        }
        while readFrame() {}
    }

    private func readFrame() -> Bool {
        let start = buffer.readerIndex
        guard let first = buffer.readInteger(as: UInt8.self), let second = buffer.readInteger(as: UInt8.self) else {
            buffer.moveReaderIndex(to: start)
            return false
        }
        let length: Int?
        switch second & 0x7F {
        case 126: length = buffer.readInteger(as: UInt16.self).map(Int.init)
        case 127: length = buffer.readInteger(as: UInt64.self).map(Int.init)
        case let short: length = Int(short)
        }
        guard let length, let payload = buffer.readBytes(length: length) else {
            buffer.moveReaderIndex(to: start)
            return false
        }
        switch first & 0x0F {
        case 2: continuation.yield(.binary(payload))
        case 8: continuation.yield(.closeFrame(payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : nil))
        default: break
        }
        return true
    }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.yield(.ended)
        continuation.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
