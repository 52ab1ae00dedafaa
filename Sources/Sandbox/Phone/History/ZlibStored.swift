import Cryptography

/// zlib data (RFC 1950) made of stored blocks: every inflater reads it, and making it needs no compressor.
enum ZlibStored {
    private static let blockLimit = 65_535

    static func compress(_ data: Bytes) -> Bytes {
        var result: Bytes = [0x78, 0x01]
        result.reserveCapacity(data.count + data.count / blockLimit * 5 + 11)
        var position = 0
        repeat {
            let count = min(blockLimit, data.count - position)
            let isLast = position + count == data.count
            let length = UInt16(count)
            result.append(isLast ? 1 : 0)
            for value in [length, ~length] {
                result.append(UInt8(value & 0xFF))
                result.append(UInt8(value >> 8))
            }
            result += data[position..<position + count]
            position += count
        } while position < data.count
        return result + WireNumber.bytes(adler32(data), 4)
    }

    private static func adler32(_ data: Bytes) -> UInt32 {
        var a: UInt32 = 1
        var b: UInt32 = 0
        for byte in data {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return b << 16 | a
    }
}
