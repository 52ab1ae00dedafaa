import Cryptography
import NIOCore

/// Why a byte stream is no sequence of frames. Any of these ends the connection.
package enum FrameError: Error, Equatable {
    /// The client's stream does not begin with the intro, or has another magic or dictionary version.
    case invalidIntro
    /// Edge-routing bytes beyond ``Intro/maximumRoutingInfo``.
    case routingInfoTooLarge
    /// A frame longer than the decoder's maximum.
    case frameTooLarge(Int)
    /// A frame without body before the transport phase.
    case emptyFrame
}

/// Cuts a byte stream into frames: 3 bytes of length, big-endian, then the body (01-transport, section 4.3).
///
/// The boundaries of websocket messages mean nothing: frames may be split and joined in any way. A body that arrives
/// whole in one piece, as nearly all do, is handed on without a copy; only the rest of a piece is kept, as a copy of its
/// own, so that no receive buffer stays alive for a few bytes.
package struct FrameDecoder {
    /// Largest body: its length has 24 bits.
    package static let maximumFrame = (1 << 24) - 1

    private let maximum: Int
    /// The beginning of a frame that is not complete yet.
    private var pending: ByteBuffer?

    /// - Parameter maximum: largest body that is accepted.
    package init(maximum: Int = FrameDecoder.maximumFrame) {
        self.maximum = min(maximum, FrameDecoder.maximumFrame)
    }

    /// Bytes of an incomplete frame that are held.
    package var pendingCount: Int { pending?.readableBytes ?? 0 }

    /// Takes the next piece of the stream and gives every frame body that it completes to `body`, in order. A buffer that
    /// `body` is given may share `piece`'s storage: copy what is to be kept.
    ///
    /// When `body` throws, or a frame is too large, the decoder must not be used any more. `body` must not touch the decoder.
    package mutating func decode(_ piece: ByteBuffer, _ body: (ByteBuffer) throws -> Void) throws {
        guard var held = pending.take() else {
            var stream = piece
            try takeFrames(from: &stream, body)
            if stream.readableBytes > 0 { pending = FrameDecoder.copy(of: stream) }
            return
        }
        held.writeImmutableBuffer(piece)
        let start = held.readerIndex
        try takeFrames(from: &held, body)
        if held.readableBytes > 0 { pending = held.readerIndex == start ? held : FrameDecoder.copy(of: held) }
    }

    private func takeFrames(from stream: inout ByteBuffer, _ body: (ByteBuffer) throws -> Void) throws {
        while let length = FrameDecoder.length(stream) {
            guard length <= maximum else { throw FrameError.frameTooLarge(length) }
            guard let frame = stream.getSlice(at: stream.readerIndex + 3, length: length) else { return }
            stream.moveReaderIndex(forwardBy: 3 + length)
            try body(frame)
        }
    }

    /// The readable bytes in a buffer of their own with room for the frame that they announce. A length prefix is a claim,
    /// not data: at most 64 KiB are reserved for it.
    private static func copy(of stream: ByteBuffer) -> ByteBuffer {
        let announced = 3 + (length(stream) ?? 0)
        var copy = ByteBuffer()
        copy.reserveCapacity(max(stream.readableBytes, min(announced, 64 << 10)))
        copy.writeImmutableBuffer(stream)
        return copy
    }

    /// The length of the frame at the reader index, when its three bytes are there.
    private static func length(_ stream: ByteBuffer) -> Int? {
        let index = stream.readerIndex
        guard let high = stream.getInteger(at: index, as: UInt16.self),
            let low = stream.getInteger(at: index + 2, as: UInt8.self)
        else { return nil }
        return Int(high) << 8 | Int(low)
    }
}

/// Cuts a client's byte stream, as a server receives it: the intro with its optional edge-routing preamble, then frames.
package struct ClientStreamDecoder {
    private enum State {
        /// Collecting the intro; holds what came so far.
        case intro(ByteBuffer)
        case frames
    }

    private var state = State.intro(ByteBuffer())
    private var frames: FrameDecoder
    /// The edge-routing bytes that the client sent, if any.
    package private(set) var routingInfo: Bytes?

    package init(maximum: Int = FrameDecoder.maximumFrame) {
        frames = FrameDecoder(maximum: maximum)
    }

    /// As ``FrameDecoder/decode(_:_:)``. Throws ``FrameError/invalidIntro`` as soon as a byte of the intro is wrong.
    package mutating func decode(_ piece: ByteBuffer, _ body: (ByteBuffer) throws -> Void) throws {
        guard case .intro(var held) = state else { return try frames.decode(piece, body) }
        held.writeImmutableBuffer(piece)
        guard let length = try introLength(held.readableBytesView) else {
            state = .intro(held)
            return
        }
        held.moveReaderIndex(forwardBy: length)
        state = .frames
        try frames.decode(held, body)
    }

    /// Bytes of the intro once it is complete; nil while more is needed.
    private mutating func introLength(_ bytes: ByteBufferView) throws(FrameError) -> Int? {
        guard let first = bytes.first else { return nil }
        guard first == 0x45 else { return try checked(bytes, at: 0) }
        let magic: Bytes = [0x45, 0x44, 0x00, 0x01]
        guard bytes.starts(with: magic.prefix(bytes.count)) else { throw .invalidIntro }
        guard bytes.count >= 7 else { return nil }
        let start = bytes.startIndex
        let count = Int(bytes[start + 4]) << 16 | Int(bytes[start + 5]) << 8 | Int(bytes[start + 6])
        guard count <= Intro.maximumRoutingInfo else { throw .routingInfoTooLarge }
        guard bytes.count >= 7 + count else { return nil }
        routingInfo = Bytes(bytes.dropFirst(7).prefix(count))
        return try checked(bytes, at: 7 + count)
    }

    private func checked(_ bytes: ByteBufferView, at offset: Int) throws(FrameError) -> Int? {
        let header = bytes.dropFirst(offset).prefix(Intro.header.count)
        guard header.elementsEqual(Intro.header.prefix(header.count)) else { throw .invalidIntro }
        return header.count == Intro.header.count ? offset + Intro.header.count : nil
    }
}
