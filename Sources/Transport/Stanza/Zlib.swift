import CZlib

/// Whole zlib streams (RFC 1950) in memory, bounded.
package enum Zlib {
    /// The content of the zlib stream at the start of `input`; bytes behind the stream's end are ignored.
    ///
    /// - Parameter limit: most bytes that may come out; inflating stops there.
    /// - Throws: ``StanzaError/invalidCompression`` for a damaged or incomplete stream,
    ///   ``StanzaError/limitExceeded(_:)`` beyond `limit`.
    package static func inflate(_ input: [UInt8], limit: Int) throws(StanzaError) -> [UInt8] {
        try input.withUnsafeBytes { input in
            Result { () throws(StanzaError) in try inflate(input, limit: limit) }
        }.get()
    }

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
        var chunk = min(limit + 1, max(1024, min(input.count &* 4, 1 << 20)))
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

    /// `input` as one zlib stream at the default level.
    package static func deflate(_ input: [UInt8]) -> [UInt8] {
        var count = compressBound(uLong(input.count))
        return [UInt8](unsafeUninitializedCapacity: Int(count)) { output, used in
            let status = compress(output.baseAddress, &count, input, uLong(input.count))
            // The output has the room that zlib asked for, so only exhausted memory is left as a reason to fail.
            precondition(status == Z_OK, "zlib cannot compress")
            used = Int(count)
        }
    }
}
