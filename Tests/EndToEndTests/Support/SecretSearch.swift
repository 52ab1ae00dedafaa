import Cryptography
import Foundation

/// Looks for secrets in what a program gave out, in every form in which they usually leave one.
struct SecretSearch {
    private struct Needle {
        let name: String
        let form: [UInt8]
    }

    /// Shortest form that is looked for: less would be found by chance.
    private static let shortest = 8

    /// By the first eight bytes.
    private var needles: [UInt64: [Needle]] = [:]
    private(set) var names: Set<String> = []

    mutating func add(_ name: String, _ text: String) { add(name, Array(text.utf8)) }

    /// Bytes that are a secret, also what of them a text would spell.
    mutating func add(_ name: String, _ bytes: [UInt8]) {
        guard bytes.count >= Self.shortest else { return }
        names.insert(name)
        for form in Self.forms(of: bytes) where form.count >= Self.shortest {
            needles[Self.key(form[...]), default: []].append(Needle(name: name, form: form))
        }
    }

    /// Names of the secrets that stand in `bytes`, each with what stands before it.
    func found(in bytes: [UInt8]) -> [String: String] {
        var found: [String: String] = [:]
        guard bytes.count >= Self.shortest else { return found }
        bytes.withUnsafeBufferPointer { buffer in
            var window: UInt64 = 0
            for index in 0..<buffer.count {
                window = window << 8 | UInt64(buffer[index])
                guard index >= Self.shortest - 1, let candidates = needles[window] else { continue }
                let start = index - Self.shortest + 1
                for needle in candidates where buffer[start...].starts(with: needle.form) {
                    let before = buffer[max(0, start - 120)..<start]
                    found[needle.name] = String(decoding: before, as: UTF8.self)
                }
            }
        }
        return found
    }

    private static func key(_ form: ArraySlice<UInt8>) -> UInt64 {
        form.prefix(shortest).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Raw, hexadecimal in either case, base64 and base64url at each of the three places it may have in a longer value, as
    /// part of a URL, and as JSON writes it.
    static func forms(of bytes: [UInt8]) -> Set<[UInt8]> {
        var forms: Set<[UInt8]> = [bytes]
        let hex = Hex.encode(bytes)
        forms.insert(Array(hex.utf8))
        forms.insert(Array(hex.uppercased().utf8))
        for shift in 0..<3 {
            // The digits at either end also hold bits of the neighbours.
            let digits = Array(Base64.encode([UInt8](repeating: 0, count: shift) + bytes).utf8)
            let end = (shift + bytes.count) * 8 / 6
            let plain = Array(digits[(shift == 0 ? 0 : shift + 1)..<end])
            forms.insert(plain)
            forms.insert(
                plain.map {
                    $0 == UInt8(ascii: "+") ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0
                })
            forms.insert(Array(String(decoding: plain, as: UTF8.self).replacing("/", with: "\\/").utf8))
        }
        let isUnreserved = { (byte: UInt8) in
            byte < 0x80 && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber)
        }
        for digits in ["0123456789ABCDEF", "0123456789abcdef"].map({ Array($0.utf8) }) {
            for kept in ["", "-._~", "-._~!$&'()*+,;=:@"].map({ Array($0.utf8) }) {
                forms.insert(
                    bytes.flatMap { byte in
                        isUnreserved(byte) || kept.contains(byte)
                            ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                    })
            }
        }
        return forms
    }
}
