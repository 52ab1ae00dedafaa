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

    /// The stanza compressed, with its leading flag byte 2. Clients never send this form; a server may.
    package static func encodeCompressedFrame(_ stanza: Stanza) throws(StanzaError) -> [UInt8] {
        [compressedFlag] + Zlib.deflate(try encode(stanza))
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
        try withEncoded(stanza, prefix: prefix) { Array($0) }
    }

    private static func encode(_ stanza: Stanza, prefix: Int, into buffer: inout ByteBuffer) throws(StanzaError) {
        try withEncoded(stanza, prefix: prefix) { _ = buffer.writeBytes($0) }
    }

    /// Runs `body` on the encoded stanza with `prefix` zero bytes in front. Up to a kilobyte is written on the stack.
    static func withEncoded<R>(
        _ stanza: Stanza, prefix: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R
    ) throws(StanzaError) -> R {
        let result = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1024) { memory in
            var writer = StanzaWriter(memory)
            for _ in 0..<prefix { writer.write(byte: 0) }
            writer.write(stanza)
            if let failure = writer.failure { return Result<R, StanzaError>.failure(failure) }
            guard writer.written.count <= StanzaLimits.encodedBytes else { return .failure(.limitExceeded(.bytes)) }
            return .success(body(writer.written))
        }
        return try result.get()
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
            let inflated = try Zlib.inflate(body, limit: StanzaLimits.inflatedBytes)
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
