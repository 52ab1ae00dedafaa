import Cryptography
import NIOCore

/// What a client sends on its socket, cut into frames whatever the WebSocket messages were (01, section 4.1).
///
/// ```
/// [ 45 44 00 01 | len(3) | routing info ]   57 41 06 03   { len(3) | frame }
/// ```
struct ClientStream {
    enum Failure: Error, Equatable {
        /// Neither `WA` 6 3 nor a routing preamble in front of it.
        case badHeader
        /// Length 0 before the handshake is through, or a preamble longer than 64 KiB.
        case badLength
    }

    private enum State {
        case preamble
        case header
        case frames
    }

    static let header: Bytes = [0x57, 0x41, 0x06, 0x03]
    private static let routingMark: Bytes = [0x45, 0x44, 0x00, 0x01]
    private static let routingLimit = 65_536

    private var state = State.preamble
    private var buffer = ByteBuffer()
    /// The routing info the client brought along.
    private(set) var routingInfo: Bytes?

    /// Bytes received and not yet given out as frames.
    var buffered: Int { buffer.readableBytes }

    mutating func append(_ bytes: inout ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
            bytes.moveReaderIndex(to: bytes.writerIndex)
        } else {
            buffer.writeBuffer(&bytes)
        }
    }

    /// The next complete frame body, or `nil` until more bytes come.
    mutating func next() throws(Failure) -> ByteBuffer? {
        if case .preamble = state {
            guard let mark = buffer.getBytes(at: buffer.readerIndex, length: 4) else {
                guard Self.begins(buffer.readableBytesView, with: [Self.header, Self.routingMark]) else {
                    throw .badHeader
                }
                return nil
            }
            if mark == Self.routingMark {
                guard let length = Self.length(in: buffer, at: buffer.readerIndex + 4) else { return nil }
                guard length <= Self.routingLimit else { throw .badLength }
                guard buffer.readableBytes >= 7 + length else { return nil }
                buffer.moveReaderIndex(forwardBy: 7)
                routingInfo = buffer.readBytes(length: length)
            }
            state = .header
        }
        if case .header = state {
            guard let header = buffer.getBytes(at: buffer.readerIndex, length: 4) else {
                guard Self.begins(buffer.readableBytesView, with: [Self.header]) else { throw .badHeader }
                return nil
            }
            guard header == Self.header else { throw .badHeader }
            buffer.moveReaderIndex(forwardBy: 4)
            state = .frames
        }
        guard let length = Self.length(in: buffer, at: buffer.readerIndex) else { return nil }
        guard length > 0 else { throw .badLength }
        guard buffer.readableBytes >= 3 + length else { return nil }
        buffer.moveReaderIndex(forwardBy: 3)
        let frame = buffer.readSlice(length: length)
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        return frame
    }

    private static func length(in buffer: ByteBuffer, at index: Int) -> Int? {
        guard let high = buffer.getInteger(at: index, as: UInt8.self),
            let low = buffer.getInteger(at: index + 1, as: UInt16.self)
        else { return nil }
        return Int(high) << 16 | Int(low)
    }

    /// Whether what is there so far could still become one of `marks`.
    private static func begins(_ bytes: ByteBufferView, with marks: [Bytes]) -> Bool {
        marks.contains { $0.starts(with: bytes) }
    }
}
