import Cryptography
import NIOCore

/// Puts frame bodies into a byte stream: 3 bytes of length, big-endian, then the body.
package enum FrameEncoder {
    /// Appends a frame with `body`. Throws ``FrameError/frameTooLarge(_:)`` for a body of 2^24 bytes or more.
    package static func encode(_ body: Bytes, into buffer: inout ByteBuffer) throws(FrameError) {
        try writeLength(body.count, into: &buffer)
        buffer.writeBytes(body)
    }

    /// Appends a frame that holds `stanza` (flag byte 0) encrypted in place, without a buffer of its own.
    ///
    /// - Throws: ``StanzaError`` or ``NoiseError``; after a ``StanzaError`` nothing is appended and the cipher is unused.
    package static func encode(
        _ stanza: Stanza, with cipher: inout NoiseCipher, into buffer: inout ByteBuffer
    ) throws {
        try seal(with: &cipher, into: &buffer) { buffer in try StanzaCodec.encodeFrame(stanza, into: &buffer) }
    }

    /// Appends a frame that holds `plaintext` (flag byte included) encrypted in place.
    package static func encode(
        plaintext: Bytes, with cipher: inout NoiseCipher, into buffer: inout ByteBuffer
    ) throws {
        guard plaintext.count <= StanzaLimits.encodedBytes else { throw FrameError.frameTooLarge(plaintext.count) }
        try seal(with: &cipher, into: &buffer) { buffer in buffer.writeBytes(plaintext) }
    }

    private static func seal(
        with cipher: inout NoiseCipher, into buffer: inout ByteBuffer, _ write: (inout ByteBuffer) throws -> Void
    ) throws {
        let start = buffer.writerIndex
        buffer.writeRepeatingByte(0, count: 3)
        do { try write(&buffer) } catch {
            buffer.moveWriterIndex(to: start)
            throw error
        }
        try cipher.seal(&buffer, from: start + 3)
        let length = buffer.writerIndex - start - 3
        buffer.setInteger(UInt8(truncatingIfNeeded: length >> 16), at: start)
        buffer.setInteger(UInt16(truncatingIfNeeded: length), at: start + 1)
    }

    private static func writeLength(_ length: Int, into buffer: inout ByteBuffer) throws(FrameError) {
        guard length <= FrameDecoder.maximumFrame else { throw .frameTooLarge(length) }
        buffer.writeInteger(UInt8(truncatingIfNeeded: length >> 16))
        buffer.writeInteger(UInt16(truncatingIfNeeded: length))
    }
}
