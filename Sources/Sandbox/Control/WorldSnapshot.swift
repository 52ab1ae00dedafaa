import Cryptography
import Foundation

/// A whole world as bytes: what it was made from, and everything its store holds. Equal worlds give equal bytes.
///
/// Layout: `SBXS1\n` ‖ header length 4 bytes big-endian ‖ header (JSON, sorted keys) ‖ entries in key order, each key length 4 ‖
/// value length 4 ‖ key (UTF-8) ‖ value.
package struct WorldSnapshot {
    package struct Header: Codable, Equatable {
        package var id: String
        package var seed: Bytes
        package var clock: SandboxConfiguration.ClockMode
        /// World time, Unix seconds.
        package var time: Int64
        package var settings: WorldSettings
    }

    /// Bytes that are no snapshot, or one that was cut off.
    package struct Malformed: Error, Equatable {}

    private static let magic = Bytes("SBXS1\n".utf8)

    package let header: Header
    package let entries: [(key: String, value: Bytes)]

    package init(header: Header, entries: [(key: String, value: Bytes)]) {
        self.header = header
        self.entries = entries.sorted { $0.key < $1.key }
    }

    package func serialized() -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let head = (try? encoder.encode(header)).map { Bytes($0) } ?? []
        var bytes = Self.magic + WireNumber.bytes(UInt32(clamping: head.count), 4) + head
        for (key, value) in entries {
            bytes += WireNumber.bytes(UInt32(clamping: key.utf8.count), 4)
            bytes += WireNumber.bytes(UInt32(clamping: value.count), 4)
            bytes += Bytes(key.utf8)
            bytes += value
        }
        return bytes
    }

    /// Throws ``Malformed`` or what decoding the header throws.
    package init(parsing bytes: Bytes) throws {
        guard bytes.starts(with: Self.magic) else { throw Malformed() }
        var rest = bytes[Self.magic.count...]
        func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard count <= rest.count else { throw Malformed() }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func number() throws -> Int { Int(WireNumber.number(Bytes(try take(4)))) }
        header = try JSONDecoder().decode(Header.self, from: Data(take(number())))
        var entries: [(key: String, value: Bytes)] = []
        while !rest.isEmpty {
            let keyLength = try number()
            let valueLength = try number()
            let key = String(decoding: try take(keyLength), as: UTF8.self)
            entries.append((key, Bytes(try take(valueLength))))
        }
        self.entries = entries
    }
}
