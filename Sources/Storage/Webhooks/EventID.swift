import Cryptography
import Foundation

/// Ids of webhook events: `evt_` and a ULID, so that they sort by time and hold no dot.
package enum EventID {
    /// - Parameter milliseconds: Unix time; now when nil.
    package static func generate(milliseconds: UInt64? = nil, random: some RandomSource = SystemRandom()) -> String {
        let now = milliseconds ?? UInt64(max(0, Date().timeIntervalSince1970 * 1000))
        var text: [UInt8] = Array("evt_".utf8)
        for shift in stride(from: 45, through: 0, by: -5) { text.append(alphabet[Int(now >> UInt64(shift)) & 31]) }
        let entropy = random.bytes(10)
        for half in [entropy[..<5], entropy[5...]] {
            let value = half.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            for shift in stride(from: 35, through: 0, by: -5) {
                text.append(alphabet[Int(value >> UInt64(shift)) & 31])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// When the event of this id was made; nil for a text that is no id of ours.
    package static func date(_ id: String) -> Date? {
        let text = Array(id.utf8)
        guard text.count == 30, id.hasPrefix("evt_") else { return nil }
        var milliseconds: UInt64 = 0
        for byte in text[4..<14] {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            milliseconds = milliseconds << 5 | UInt64(value)
        }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
}
