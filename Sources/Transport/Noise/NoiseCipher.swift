import Cryptography
import NIOCore

/// One direction of the transport phase: AES-256-GCM with empty associated data and a counter from 0, one per frame
/// (01-transport, section 7). Frames must be sealed and opened strictly in the order of the wire.
package struct NoiseCipher {
    /// Bytes that a frame is longer than its plaintext.
    package static let tagCount = AESGCM.tagCount

    private let key: AESGCMKey
    /// Number of the next frame.
    package private(set) var counter: UInt32

    /// - Parameter key: 32 bytes.
    /// - Parameter counter: number of the first frame.
    package init(key: SecretBytes, counter: UInt32 = 0) throws(NoiseError) {
        do { self.key = try AESGCMKey(key) } catch { throw .missingPart }
        self.counter = counter
    }

    /// Ciphertext followed by the tag.
    package mutating func seal(_ plaintext: Bytes) throws(NoiseError) -> Bytes {
        var output = plaintext
        output.append(contentsOf: repeatElement(0, count: NoiseCipher.tagCount))
        try output.withUnsafeMutableBytes { memory in
            Result { () throws(NoiseError) in try seal(memory: memory) }
        }.get()
        return output
    }

    /// The plaintext of `ciphertext`. Throws ``NoiseError/authenticationFailed``, after which the connection is unusable.
    package mutating func open(_ ciphertext: Bytes) throws(NoiseError) -> Bytes {
        var output = ciphertext
        let count = try output.withUnsafeMutableBytes { memory in
            Result { () throws(NoiseError) in try open(memory: memory) }
        }.get()
        output.removeLast(output.count - count)
        return output
    }

    /// Encrypts the bytes of `buffer` from `index` to its writer index in place and appends the tag.
    package mutating func seal(_ buffer: inout ByteBuffer, from index: Int) throws(NoiseError) {
        let length = buffer.writerIndex - index
        buffer.writeRepeatingByte(0, count: NoiseCipher.tagCount)
        let offset = index - buffer.readerIndex
        try buffer.withUnsafeMutableReadableBytes { memory in
            Result { () throws(NoiseError) in
                try seal(
                    memory: UnsafeMutableRawBufferPointer(
                        rebasing: memory[offset..<offset + length + NoiseCipher.tagCount]))
            }
        }.get()
    }

    /// Decrypts the readable bytes of `buffer`, ciphertext and tag, in place and takes the tag off. Throws as
    /// ``open(_:)``; then the content is worthless.
    package mutating func open(_ buffer: inout ByteBuffer) throws(NoiseError) {
        let count = try buffer.withUnsafeMutableReadableBytes { memory in
            Result { () throws(NoiseError) in try open(memory: memory) }
        }.get()
        buffer.moveWriterIndex(to: buffer.readerIndex + count)
    }

    /// - Parameter memory: plaintext followed by room for the tag.
    private mutating func seal(memory: UnsafeMutableRawBufferPointer) throws(NoiseError) {
        guard counter < UInt32.max else { throw .counterExhausted }
        do { try key.seal(memory, counter: counter) } catch { throw .authenticationFailed }
        counter += 1
    }

    private mutating func open(memory: UnsafeMutableRawBufferPointer) throws(NoiseError) -> Int {
        guard counter < UInt32.max else { throw .counterExhausted }
        let count: Int
        do { count = try key.open(memory, counter: counter) } catch { throw .authenticationFailed }
        counter += 1
        return count
    }

    /// Eight zero bytes and the counter, big-endian.
    static func nonce(_ counter: UInt32) -> Bytes {
        [0, 0, 0, 0, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: counter >> (24 - 8 * $0)) }
    }
}

/// Both keys of the transport phase as one side sees them; the result of a handshake.
package struct NoiseTransportKeys: Sendable {
    package let sending: SecretBytes
    package let receiving: SecretBytes
}

/// Both directions of the transport phase as one side sees them. Belongs to one connection and its event loop.
package struct NoiseTransport {
    package var sending: NoiseCipher
    package var receiving: NoiseCipher

    package init(_ keys: NoiseTransportKeys) throws(NoiseError) {
        sending = try NoiseCipher(key: keys.sending)
        receiving = try NoiseCipher(key: keys.receiving)
    }
}
