import NIOCore

/// Opcodes of RFC 6455, section 5.2.
package enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    var isControl: Bool { rawValue & 0x8 != 0 }
}

/// Close codes of RFC 6455, section 7.4.1, that we send.
package enum WebSocketCloseCode {
    package static let normal: UInt16 = 1000
    package static let protocolError: UInt16 = 1002
    package static let tooLarge: UInt16 = 1009
}

/// Writes the websocket frames of a client: final, masked, one per message.
///
/// ```
/// fin+opcode(1)  0x80+length(1) [length(2 | 8)]  mask(4)  payload ⊕ mask
/// ```
enum WebSocketFrameWriter {
    /// Appends a frame of `count` payload bytes, which `write` appends. The payload is masked in place with `mask`.
    static func write(
        _ opcode: WebSocketOpcode, count: Int, mask: UInt32, into buffer: inout ByteBuffer,
        _ write: (inout ByteBuffer) throws -> Void
    ) rethrows {
        let start = buffer.writerIndex
        buffer.writeInteger(0x80 | opcode.rawValue)
        if count < 126 {
            buffer.writeInteger(0x80 | UInt8(truncatingIfNeeded: count))
        } else if count <= 65_535 {
            buffer.writeInteger(0x80 | 126 as UInt8)
            buffer.writeInteger(UInt16(truncatingIfNeeded: count))
        } else {
            buffer.writeInteger(0x80 | 127 as UInt8)
            buffer.writeInteger(UInt64(count))
        }
        buffer.writeInteger(mask)
        let payload = buffer.writerIndex
        do { try write(&buffer) } catch {
            buffer.moveWriterIndex(to: start)
            throw error
        }
        precondition(buffer.writerIndex - payload == count, "payload of another size than announced")
        let offset = payload - buffer.readerIndex
        buffer.withUnsafeMutableReadableBytes { memory in
            xor(UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + count]), mask: mask)
        }
    }

    /// XORs `memory` with the four bytes of `mask`, repeated, eight bytes at a time.
    static func xor(_ memory: UnsafeMutableRawBufferPointer, mask: UInt32) {
        guard let start = memory.baseAddress else { return }
        let word = UInt64(mask) << 32 | UInt64(mask)
        let wide = word.bigEndian
        var position = 0
        while position + 8 <= memory.count {
            let value = start.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            start.storeBytes(of: value ^ wide, toByteOffset: position, as: UInt64.self)
            position += 8
        }
        while position < memory.count {
            memory[position] ^= UInt8(truncatingIfNeeded: mask >> UInt32(24 - 8 * (position & 3)))
            position += 1
        }
    }
}
