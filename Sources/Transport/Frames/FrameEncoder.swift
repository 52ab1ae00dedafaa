import Cryptography
import NIOCore

/// Puts frame bodies into a byte stream: 3 bytes of length, big-endian, then the body.
package enum FrameEncoder {
    /// Appends a frame with `body`. Throws ``FrameError/frameTooLarge(_:)`` for a body of 2^24 bytes or more.
    package static func encode(_ body: Bytes, into buffer: inout ByteBuffer) throws(FrameError) {
        try writeLength(body.count, into: &buffer)
        buffer.writeBytes(body)
    }

    /// Appends a frame that holds `stanza` (flag byte 0), encrypted in place.
    ///
    /// - Throws: ``StanzaError`` or ``NoiseError``; after a ``StanzaError`` nothing is appended and the cipher is unused.
    package static func encode(
        _ stanza: Stanza, with cipher: inout NoiseCipher, into buffer: inout ByteBuffer
    ) throws {
        try StanzaCodec.withEncoded(stanza, prefix: 1) { plaintext in
            Result { () throws(NoiseError) in try cipher.seal(frame: plaintext, into: &buffer) }
        }.get()
    }

    /// Appends a frame that holds `plaintext` (flag byte included), encrypted in place.
    package static func encode(
        plaintext: Bytes, with cipher: inout NoiseCipher, into buffer: inout ByteBuffer
    ) throws {
        guard plaintext.count <= StanzaLimits.encodedBytes else { throw FrameError.frameTooLarge(plaintext.count) }
        try plaintext.withUnsafeBufferPointer { plaintext in
            Result { () throws(NoiseError) in try cipher.seal(frame: plaintext, into: &buffer) }
        }.get()
    }

    /// Bytes of the frame around a plaintext of `count` bytes.
    static func size(plaintext count: Int) -> Int { 3 + count + NoiseCipher.tagCount }

    private static func writeLength(_ length: Int, into buffer: inout ByteBuffer) throws(FrameError) {
        guard length <= FrameDecoder.maximumFrame else { throw .frameTooLarge(length) }
        buffer.writeInteger(UInt8(truncatingIfNeeded: length >> 16))
        buffer.writeInteger(UInt16(truncatingIfNeeded: length))
    }
}

extension NoiseCipher {
    /// Appends a frame that holds `plaintext`, encrypted in place; at most ``StanzaLimits/encodedBytes``.
    mutating func seal(
        frame plaintext: UnsafeBufferPointer<UInt8>, into buffer: inout ByteBuffer
    ) throws(NoiseError) {
        let length = plaintext.count + NoiseCipher.tagCount
        buffer.writeInteger(UInt8(truncatingIfNeeded: length >> 16))
        buffer.writeInteger(UInt16(truncatingIfNeeded: length))
        let start = buffer.writerIndex
        buffer.writeBytes(plaintext)
        try seal(&buffer, from: start)
    }
}
