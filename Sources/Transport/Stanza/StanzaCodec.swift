import NIOCore

/// Binary form of stanzas: what a Noise frame carries once it is opened (01-transport, section 9).
///
/// ```
/// plaintext := flag  stanza            flag bit 0x02 set: the rest is one zlib stream of the stanza
/// stanza    := listSize(1 + 2·attributes + (content ? 1 : 0))  tag  { key value }  [content]
/// ```
package enum StanzaCodec {
    /// The flag bit that says that the stanza is compressed; the other bits are ignored.
    static let compressedFlag: UInt8 = 0x02

    // MARK: Encoding

    /// The stanza without flag byte.
    ///
    /// - Throws: ``StanzaError/emptyElement`` for an empty tag or key, ``StanzaError/limitExceeded(_:)`` for too many
    ///   attributes or children, too deep nesting or a device number above 255 where the wire has one byte.
    package static func encode(_ stanza: Stanza) throws(StanzaError) -> [UInt8] {
        try encode(stanza, prefix: 0)
    }

    /// The stanza with its leading flag byte 0: the plaintext of a Noise frame.
    package static func encodeFrame(_ stanza: Stanza) throws(StanzaError) -> [UInt8] {
        try encode(stanza, prefix: 1)
    }

    /// Appends the stanza without flag byte. Throws as ``encode(_:)``, with nothing appended.
    package static func encode(_ stanza: Stanza, into buffer: inout ByteBuffer) throws(StanzaError) {
        try encode(stanza, prefix: 0, into: &buffer)
    }

    /// Appends the flag byte 0 and the stanza. Throws as ``encode(_:)``, with nothing appended.
    package static func encodeFrame(_ stanza: Stanza, into buffer: inout ByteBuffer) throws(StanzaError) {
        try encode(stanza, prefix: 1, into: &buffer)
    }

    /// - Parameter prefix: zero bytes in front.
    private static func encode(_ stanza: Stanza, prefix: Int) throws(StanzaError) -> [UInt8] {
        let bound = try prefix + StanzaBound.bytes(of: stanza)
        let bytes = [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            count = write(stanza, prefix: prefix, to: UnsafeMutableRawBufferPointer(output))
        }
        guard bytes.count <= StanzaLimits.encodedBytes else { throw .limitExceeded(.bytes) }
        return bytes
    }

    private static func encode(_ stanza: Stanza, prefix: Int, into buffer: inout ByteBuffer) throws(StanzaError) {
        let bound = try prefix + StanzaBound.bytes(of: stanza)
        let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { output in
            write(stanza, prefix: prefix, to: output)
        }
        guard count <= StanzaLimits.encodedBytes else {
            buffer.moveWriterIndex(to: buffer.writerIndex - count)
            throw .limitExceeded(.bytes)
        }
    }

    /// - Parameter output: room for the prefix and the bound of the stanza.
    private static func write(_ stanza: Stanza, prefix: Int, to output: UnsafeMutableRawBufferPointer) -> Int {
        guard let start = output.bindMemory(to: UInt8.self).baseAddress else { return 0 }
        for offset in 0..<prefix { start[offset] = 0 }
        var writer = StanzaWriter(start: start + prefix)
        writer.write(stanza)
        precondition(prefix + writer.count <= output.count, "stanza larger than its bound")
        return prefix + writer.count
    }

    // MARK: Decoding

    /// Reads the plaintext of a Noise frame: flag byte, then a stanza, inflated if the flag says so. Nothing of `frame` is
    /// kept alive by the result.
    ///
    /// - Throws: ``StanzaError`` for anything malformed or beyond ``StanzaLimits``; no bytes make it trap.
    package static func decode(frame: [UInt8]) throws(StanzaError) -> Stanza {
        try frame.withUnsafeBytes { decode(frame: $0) }.get()
    }

    /// Reads the readable bytes of `frame` as the plaintext of a Noise frame. Throws as ``decode(frame:)``.
    package static func decode(frame: ByteBuffer) throws(StanzaError) -> Stanza {
        try frame.withUnsafeReadableBytes { decode(frame: $0) }.get()
    }

    /// Reads a stanza without flag byte. Throws as ``decode(frame:)``.
    package static func decode(stanza bytes: [UInt8]) throws(StanzaError) -> Stanza {
        try bytes.withUnsafeBytes { decode(stanza: $0) }.get()
    }

    static func decode(frame: UnsafeRawBufferPointer) -> Result<Stanza, StanzaError> {
        guard let flag = frame.first else { return .failure(.emptyFrame) }
        let body = UnsafeRawBufferPointer(rebasing: frame.dropFirst())
        guard flag & compressedFlag != 0 else { return decode(stanza: body) }
        do throws(StanzaError) {
            let inflated = try Inflate.inflate(body, limit: StanzaLimits.inflatedBytes)
            return inflated.withUnsafeBytes { decode(stanza: $0) }
        } catch {
            return .failure(error)
        }
    }

    private static func decode(stanza bytes: UnsafeRawBufferPointer) -> Result<Stanza, StanzaError> {
        do throws(StanzaError) {
            guard var reader = StanzaReader(bytes.bindMemory(to: UInt8.self)) else { throw .truncated }
            return .success(try reader.readAll())
        } catch {
            return .failure(error)
        }
    }
}
