import CZlib

/// Bounded decompression of a zlib stream (RFC 1950).
enum Inflate {
    /// The content of the zlib stream at the start of `input`; bytes behind the stream's end are ignored.
    ///
    /// - Parameter limit: most bytes that may come out; inflating stops there.
    /// - Throws: ``StanzaError/invalidCompression`` for a damaged or incomplete stream,
    ///   ``StanzaError/limitExceeded(_:)`` beyond `limit`.
    static func inflate(_ input: UnsafeRawBufferPointer, limit: Int) throws(StanzaError) -> [UInt8] {
        guard let source = input.bindMemory(to: UInt8.self).baseAddress, input.count <= Int(UInt32.max) else {
            throw .invalidCompression
        }
        var stream = z_stream()
        guard inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .invalidCompression
        }
        defer { inflateEnd(&stream) }
        // zlib never writes through next_in; its header merely lacks the const.
        stream.next_in = UnsafeMutablePointer(mutating: source)
        stream.avail_in = UInt32(input.count)

        var output: [UInt8] = []
        var chunk = min(limit + 1, max(1024, input.count &* 4))
        while true {
            var status = Z_OK
            let start = output.count
            let room = min(chunk, limit + 1 - start)
            output.append(contentsOf: repeatElement(0, count: room))
            let written = output.withUnsafeMutableBufferPointer { buffer -> Int in
                guard let base = buffer.baseAddress else { return 0 }
                stream.next_out = base + start
                stream.avail_out = UInt32(room)
                status = CZlib.inflate(&stream, Z_NO_FLUSH)
                return room - Int(stream.avail_out)
            }
            output.removeLast(room - written)
            guard output.count <= limit else { throw .limitExceeded(.bytes) }
            switch status {
            case Z_STREAM_END: return output
            case Z_OK where stream.avail_out == 0: chunk = min(chunk &* 2, 1 << 20)
            default: throw .invalidCompression
            }
        }
    }
}
