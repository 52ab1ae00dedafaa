import NIOCore

/// Reads the websocket frames of a server: a stream of bytes in, pieces of binary messages and control frames out.
///
/// Messages are not gathered: their boundaries mean nothing to the layer above, so a large message costs no memory here.
/// Text messages are skipped.
package struct WebSocketReader {
    /// Most bytes of one message: the largest frame with its length.
    package static let maximumMessage = (1 << 24) + 2

    package enum Event: Equatable {
        /// A piece of a binary message, sharing storage with what was received.
        case data(ByteBuffer)
        case ping(ByteBuffer)
        case pong
        /// The peer closes, with its code if it gave one.
        case close(code: UInt16?)
    }

    package enum ReadingError: Error, Equatable {
        /// Reserved bits, a masked frame, an unknown opcode, a fragmented control frame, a continuation of nothing ...
        case protocolError(String)
        /// A message longer than ``WebSocketReader/maximumMessage``.
        case messageTooLarge
    }

    private enum State {
        case header
        /// `remaining` payload bytes of a message are due.
        case payload(remaining: Int)
        /// A control frame whose payload must be whole.
        case control(WebSocketOpcode, length: Int)
    }

    private enum Message {
        case none
        case binary(count: Int)
        case text(count: Int)
    }

    private var state = State.header
    /// The message that fragments may continue.
    private var message = Message.none
    /// Whether the frame being read is the message's last.
    private var isFinal = true
    /// An incomplete header or control frame: at most 139 bytes.
    private var pending: ByteBuffer?

    package init() {}

    /// Takes the next bytes and calls `body` for every event in order. When either throws, the reader must not be used any
    /// more.
    package mutating func read(_ piece: ByteBuffer, _ body: (Event) throws -> Void) throws {
        var stream = piece
        if var held = pending.take() {
            held.writeBuffer(&stream)
            stream = held
        }
        while try step(&stream, body) {}
        guard stream.readableBytes > 0 else { return }
        pending = ByteBuffer(bytes: stream.readableBytesView)
    }

    /// Whether something was done, so that it is worth trying again.
    private mutating func step(_ stream: inout ByteBuffer, _ body: (Event) throws -> Void) throws -> Bool {
        switch state {
        case .header:
            return try readHeader(&stream)
        case .payload(let remaining):
            let count = min(remaining, stream.readableBytes)
            guard count > 0, let data = stream.readSlice(length: count) else { return false }
            state = count == remaining ? .header : .payload(remaining: remaining - count)
            let isBinary = if case .binary = message { true } else { false }
            if count == remaining, isFinal { message = .none }
            if isBinary { try body(.data(data)) }
            return true
        case .control(let opcode, let length):
            guard let payload = stream.readSlice(length: length) else { return false }
            state = .header
            switch opcode {
            case .ping: try body(.ping(payload))
            case .pong: try body(.pong)
            default:
                guard payload.readableBytes != 1 else { throw ReadingError.protocolError("close frame of one byte") }
                try body(.close(code: payload.getInteger(at: payload.readerIndex, as: UInt16.self)))
            }
            return true
        }
    }

    private mutating func readHeader(_ stream: inout ByteBuffer) throws(ReadingError) -> Bool {
        let index = stream.readerIndex
        guard let first = stream.getInteger(at: index, as: UInt8.self),
            let second = stream.getInteger(at: index + 1, as: UInt8.self)
        else { return false }
        guard first & 0x70 == 0 else { throw .protocolError("reserved bits") }
        guard second & 0x80 == 0 else { throw .protocolError("masked frame from a server") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .protocolError("unknown opcode") }
        var length = Int(second)
        var headerSize = 2
        if second == 126 {
            guard let wide = stream.getInteger(at: index + 2, as: UInt16.self) else { return false }
            (length, headerSize) = (Int(wide), 4)
        } else if second == 127 {
            guard let wide = stream.getInteger(at: index + 2, as: UInt64.self) else { return false }
            guard wide <= UInt64(WebSocketReader.maximumMessage) else { throw .messageTooLarge }
            (length, headerSize) = (Int(wide), 10)
        }
        stream.moveReaderIndex(forwardBy: headerSize)
        let isFinal = first & 0x80 != 0
        if opcode.isControl {
            guard isFinal, length <= 125 else { throw .protocolError("fragmented or long control frame") }
            state = .control(opcode, length: length)
            return true
        }
        self.isFinal = isFinal
        try begin(opcode, length: length)
        if length > 0 {
            state = .payload(remaining: length)
        } else if isFinal {
            message = .none
        }
        return true
    }

    private mutating func begin(_ opcode: WebSocketOpcode, length: Int) throws(ReadingError) {
        let count: Int
        switch (opcode, message) {
        case (.binary, .none):
            count = length
            message = .binary(count: count)
        case (.text, .none):
            count = length
            message = .text(count: count)
        case (.continuation, .binary(let before)):
            count = before + length
            message = .binary(count: count)
        case (.continuation, .text(let before)):
            count = before + length
            message = .text(count: count)
        case (.continuation, .none): throw .protocolError("continuation of nothing")
        default: throw .protocolError("message within a message")
        }
        guard count <= WebSocketReader.maximumMessage else { throw .messageTooLarge }
    }
}
