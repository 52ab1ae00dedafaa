import Cryptography
import Transport

/// The plaintext of a frame of the server: flag 0, or flag 2 and a zlib stream above the set size (09, section 3, 9).
enum StanzaCompression {
    static func encode(_ stanza: Stanza, above limit: Int?) throws -> Bytes {
        let plain = try StanzaCodec.encodeFrame(stanza)
        guard let limit, plain.count > limit else { return plain }
        return [0x02] + stored(Bytes(plain.dropFirst()))
    }

    /// A zlib stream of stored blocks (RFC 1950, 1951): what a client must inflate, without a compressor here.
    private static func stored(_ bytes: Bytes) -> Bytes {
        var out: Bytes = [0x78, 0x01]
        var rest = bytes[...]
        repeat {
            let block = rest.prefix(65_535)
            rest = rest.dropFirst(block.count)
            let size = UInt16(block.count)
            out.append(rest.isEmpty ? 1 : 0)
            for value in [size, ~size] {
                out.append(UInt8(truncatingIfNeeded: value))
                out.append(UInt8(truncatingIfNeeded: value >> 8))
            }
            out.append(contentsOf: block)
        } while !rest.isEmpty
        var a: UInt32 = 1
        var b: UInt32 = 0
        for byte in bytes {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        let adler = b << 16 | a
        return out + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: adler >> UInt32($0)) }
    }
}
