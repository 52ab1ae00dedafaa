import CZlib
import NIOCore

/// Compression of answers (10-rest-api, section 2.5).
struct Gzip: Sendable {
    private static let minimumLength = 200

    /// 1…9; 0 is off.
    let level: Int

    /// Whether a body of this length and type is worth compressing for a client that sent `acceptEncoding`.
    func applies(length: Int, contentType: String?, acceptEncoding: String?, path: Substring) -> Bool {
        guard level > 0, length >= Self.minimumLength, let acceptEncoding, !path.contains("docs") else { return false }
        guard let contentType, contentType.hasPrefix("text/") || contentType.hasPrefix("application/json") else {
            return false
        }
        return Self.accepts(acceptEncoding)
    }

    /// `gzip` with a quality above zero, or `*` where `gzip` is not named.
    static func accepts(_ header: String) -> Bool {
        var wildcard = false
        for item in header.split(separator: ",") {
            let parts = item.split(separator: ";")
            let name = (parts.first ?? "").trimmingWhitespace().lowercased()
            guard name == "gzip" || name == "*" else { continue }
            let quality = parts.dropFirst().first { $0.trimmingWhitespace().lowercased().hasPrefix("q=") }
            let isWanted = quality.map { Double($0.trimmingWhitespace().dropFirst(2)) ?? 0 } ?? 1 > 0
            if name == "gzip" { return isWanted }
            wildcard = isWanted
        }
        return wildcard
    }

    /// The gzip form of `body`, or nil when zlib refuses.
    func compress(_ body: ByteBuffer) -> ByteBuffer? {
        var stream = z_stream()
        // 15 bits of window, +16 for the gzip frame.
        guard
            deflateInit2_(
                &stream, Int32(level), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(body.readableBytes)))
        var output = ByteBufferAllocator().buffer(capacity: bound)
        var input = body
        let status = input.readWithUnsafeMutableReadableBytes { source -> (Int, Int32) in
            stream.next_in = source.bindMemory(to: UInt8.self).baseAddress
            stream.avail_in = UInt32(clamping: source.count)
            var status = Z_OK
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { target in
                stream.next_out = target.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(clamping: target.count)
                status = deflate(&stream, Z_FINISH)
                return target.count - Int(stream.avail_out)
            }
            return (source.count, status)
        }
        return status == Z_STREAM_END ? output : nil
    }
}
