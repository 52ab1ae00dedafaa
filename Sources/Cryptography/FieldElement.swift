/// An element of the field of curve25519, modulo p = 2^255 − 19, as four little-endian 64-bit limbs below 2^256.
///
/// Only for public values: the arithmetic is not constant-time. It exists for the one conversion that libsodium does not
/// export, from a Montgomery u to an Edwards y and back (source: 03-signal, section 3.3).
struct FieldElement: Equatable {
    private var limbs: (UInt64, UInt64, UInt64, UInt64)

    static let one = FieldElement((1, 0, 0, 0))

    private init(_ limbs: (UInt64, UInt64, UInt64, UInt64)) { self.limbs = limbs }

    /// The low 255 bits of a little-endian encoding; bit 255 is ignored.
    init(words: (UInt64, UInt64, UInt64, UInt64)) {
        limbs = (words.0, words.1, words.2, words.3 & 0x7FFF_FFFF_FFFF_FFFF)
    }

    /// The canonical encoding: below p, bit 255 clear.
    var words: (UInt64, UInt64, UInt64, UInt64) {
        var value = limbs
        for _ in 0..<2 {
            let (d0, b0) = value.0.subtractingReportingOverflow(0xFFFF_FFFF_FFFF_FFED)
            let (d1, b1) = FieldElement.subtract(value.1, 0xFFFF_FFFF_FFFF_FFFF, b0)
            let (d2, b2) = FieldElement.subtract(value.2, 0xFFFF_FFFF_FFFF_FFFF, b1)
            let (d3, b3) = FieldElement.subtract(value.3, 0x7FFF_FFFF_FFFF_FFFF, b2)
            if b3 { break }
            value = (d0, d1, d2, d3)
        }
        return value
    }

    static func == (a: FieldElement, b: FieldElement) -> Bool { a.words == b.words }

    static func + (a: FieldElement, b: FieldElement) -> FieldElement {
        let (r0, c0) = a.limbs.0.addingReportingOverflow(b.limbs.0)
        let (r1, c1) = add(a.limbs.1, b.limbs.1, c0)
        let (r2, c2) = add(a.limbs.2, b.limbs.2, c1)
        let (r3, c3) = add(a.limbs.3, b.limbs.3, c2)
        return FieldElement((r0, r1, r2, r3)).adding(c3 ? 38 : 0)
    }

    static func - (a: FieldElement, b: FieldElement) -> FieldElement {
        let (r0, b0) = a.limbs.0.subtractingReportingOverflow(b.limbs.0)
        let (r1, b1) = subtract(a.limbs.1, b.limbs.1, b0)
        let (r2, b2) = subtract(a.limbs.2, b.limbs.2, b1)
        let (r3, b3) = subtract(a.limbs.3, b.limbs.3, b2)
        return FieldElement((r0, r1, r2, r3)).subtracting(b3 ? 38 : 0)
    }

    static func * (a: FieldElement, b: FieldElement) -> FieldElement {
        let x = a.limbs
        let y = b.limbs
        // Row by row: x × y.i added to the running 512-bit sum r0...r7.
        var carry: UInt64 = 0
        let r0, r1, r2, r3, r4, r5, r6, r7: UInt64
        var (s1, s2, s3, s4): (UInt64, UInt64, UInt64, UInt64)
        (r0, carry) = multiplyAdd(x.0, y.0, 0, 0)
        (s1, carry) = multiplyAdd(x.1, y.0, 0, carry)
        (s2, carry) = multiplyAdd(x.2, y.0, 0, carry)
        (s3, s4) = multiplyAdd(x.3, y.0, 0, carry)

        (r1, carry) = multiplyAdd(x.0, y.1, s1, 0)
        (s1, carry) = multiplyAdd(x.1, y.1, s2, carry)
        (s2, carry) = multiplyAdd(x.2, y.1, s3, carry)
        (s3, s4) = multiplyAdd(x.3, y.1, s4, carry)

        (r2, carry) = multiplyAdd(x.0, y.2, s1, 0)
        (s1, carry) = multiplyAdd(x.1, y.2, s2, carry)
        (s2, carry) = multiplyAdd(x.2, y.2, s3, carry)
        (s3, s4) = multiplyAdd(x.3, y.2, s4, carry)

        (r3, carry) = multiplyAdd(x.0, y.3, s1, 0)
        (r4, carry) = multiplyAdd(x.1, y.3, s2, carry)
        (r5, carry) = multiplyAdd(x.2, y.3, s3, carry)
        (r6, r7) = multiplyAdd(x.3, y.3, s4, carry)

        // 2^256 ≡ 38: fold the high half onto the low one, then what is carried out of that.
        let (f0, f1, f2, f3): (UInt64, UInt64, UInt64, UInt64)
        (f0, carry) = multiplyAdd(r4, 38, r0, 0)
        (f1, carry) = multiplyAdd(r5, 38, r1, carry)
        (f2, carry) = multiplyAdd(r6, 38, r2, carry)
        (f3, carry) = multiplyAdd(r7, 38, r3, carry)
        return FieldElement((f0, f1, f2, f3)).adding(carry &* 38)
    }

    /// This element squared `count` times.
    func squared(_ count: Int) -> FieldElement {
        var result = self
        for _ in 0..<count { result = result * result }
        return result
    }

    /// 1/x as x^(p−2), which is 0 for 0.
    var inverse: FieldElement {
        let x2 = squared(1)
        let x9 = x2.squared(2) * self
        let x11 = x9 * x2
        let x31 = x11.squared(1) * x9  // 2^5 − 1
        let x10 = x31.squared(5) * x31  // 2^10 − 1
        let x20 = x10.squared(10) * x10
        let x40 = x20.squared(20) * x20
        let x50 = x40.squared(10) * x10
        let x100 = x50.squared(50) * x50
        let x200 = x100.squared(100) * x100
        let x250 = x200.squared(50) * x50
        return x250.squared(5) * x11  // 2^255 − 21
    }

    /// Adds a small number; folds a carry out of the top again.
    private func adding(_ small: UInt64) -> FieldElement {
        let (r0, c0) = limbs.0.addingReportingOverflow(small)
        let (r1, c1) = limbs.1.addingReportingOverflow(c0 ? 1 : 0)
        let (r2, c2) = limbs.2.addingReportingOverflow(c1 ? 1 : 0)
        let (r3, c3) = limbs.3.addingReportingOverflow(c2 ? 1 : 0)
        // After a carry the value is tiny, so this addition cannot carry again.
        return FieldElement((c3 ? r0 &+ 38 : r0, r1, r2, r3))
    }

    private func subtracting(_ small: UInt64) -> FieldElement {
        let (r0, b0) = limbs.0.subtractingReportingOverflow(small)
        let (r1, b1) = limbs.1.subtractingReportingOverflow(b0 ? 1 : 0)
        let (r2, b2) = limbs.2.subtractingReportingOverflow(b1 ? 1 : 0)
        let (r3, b3) = limbs.3.subtractingReportingOverflow(b2 ? 1 : 0)
        // After a borrow the value is close to 2^256, so this subtraction cannot borrow again.
        return FieldElement((b3 ? r0 &- 38 : r0, r1, r2, r3))
    }

    /// a × b + c + d, which always fits 128 bits.
    @inline(__always)
    private static func multiplyAdd(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) -> (UInt64, UInt64) {
        let product = a.multipliedFullWidth(by: b)
        let (low, carry) = product.low.addingReportingOverflow(c)
        let (sum, secondCarry) = low.addingReportingOverflow(d)
        return (sum, product.high &+ (carry ? 1 : 0) &+ (secondCarry ? 1 : 0))
    }

    @inline(__always)
    private static func add(_ a: UInt64, _ b: UInt64, _ carry: Bool) -> (UInt64, Bool) {
        let (sum, first) = a.addingReportingOverflow(b)
        let (result, second) = sum.addingReportingOverflow(carry ? 1 : 0)
        return (result, first || second)
    }

    @inline(__always)
    private static func subtract(_ a: UInt64, _ b: UInt64, _ borrow: Bool) -> (UInt64, Bool) {
        let (difference, first) = a.subtractingReportingOverflow(b)
        let (result, second) = difference.subtractingReportingOverflow(borrow ? 1 : 0)
        return (result, first || second)
    }
}
