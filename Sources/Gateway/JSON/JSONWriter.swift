import Foundation
import Messaging
import NIOCore

/// Writes JSON straight into a buffer: no intermediate tree, strings copied in runs up to the next byte that needs
/// escaping (16-performance-durability, section 6.2). Commas are the writer's business.
struct JSONWriter {
    private(set) var buffer: ByteBuffer
    /// A comma is due before the next key or element.
    private var needsComma = false

    init(capacity: Int = 512) {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
    }

    // MARK: Structure

    mutating func object(_ members: (inout JSONWriter) throws -> Void) rethrows {
        open(UInt8(ascii: "{"))
        try members(&self)
        close(UInt8(ascii: "}"))
    }

    mutating func array(_ elements: (inout JSONWriter) throws -> Void) rethrows {
        open(UInt8(ascii: "["))
        try elements(&self)
        close(UInt8(ascii: "]"))
    }

    /// Writes a key; exactly one value must follow. Keys are plain ASCII words of ours.
    mutating func key(_ name: StaticString) {
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        buffer.writeStaticString(name)
        buffer.writeInteger(UInt8(ascii: "\""))
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A key that is not known at build time.
    mutating func key(named name: String) {
        string(name)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    mutating func string(_ value: some StringProtocol) {
        separate()
        writeQuoted(value)
        needsComma = true
    }

    mutating func integer(_ value: some BinaryInteger) {
        separate()
        writeDigits(Int64(clamping: value))
        needsComma = true
    }

    /// Not-a-number and infinities become null.
    mutating func number(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        if let whole = Int64(exactly: value) { writeDigits(whole) } else { buffer.writeString("\(value)") }
        needsComma = true
    }

    mutating func bool(_ value: Bool) {
        separate()
        buffer.writeStaticString(value ? "true" : "false")
        needsComma = true
    }

    mutating func null() {
        separate()
        buffer.writeStaticString("null")
        needsComma = true
    }

    /// Bytes that already are one JSON value.
    mutating func raw(_ json: some Sequence<UInt8>) {
        separate()
        buffer.writeBytes(json)
        needsComma = true
    }

    mutating func raw(_ json: ByteBuffer) {
        separate()
        buffer.writeImmutableBuffer(json)
        needsComma = true
    }

    // MARK: Members

    mutating func member(_ name: StaticString, _ value: some StringProtocol) {
        key(name)
        string(value)
    }

    mutating func member(_ name: StaticString, _ value: some BinaryInteger) {
        key(name)
        integer(value)
    }

    mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    mutating func member(_ name: StaticString, _ value: Double) {
        key(name)
        number(value)
    }

    mutating func member(_ name: StaticString, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }

    mutating func member(_ name: StaticString, _ value: Date?, fraction: Bool = true) {
        key(name)
        if let value { string(RFC3339.text(value, fraction: fraction)) } else { null() }
    }

    mutating func member(_ name: StaticString, _ value: UUID) {
        key(name)
        separate()
        UUIDText.write(value, into: &buffer)
        needsComma = true
    }

    mutating func member(_ name: StaticString, _ values: [String]) {
        key(name)
        array { for value in values { $0.string(value) } }
    }

    // MARK: -

    private mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        buffer.writeInteger(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        buffer.writeInteger(bracket)
        needsComma = true
    }

    private mutating func writeDigits(_ value: Int64) {
        var magnitude = value.magnitude
        if value < 0 { buffer.writeInteger(UInt8(ascii: "-")) }
        if magnitude < 10 {
            buffer.writeInteger(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude))
            return
        }
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var start = 20
            while magnitude > 0 {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
                magnitude /= 10
            }
            buffer.writeBytes(digits[start..<20])
        }
    }

    private mutating func writeQuoted(_ value: some StringProtocol) {
        buffer.writeInteger(UInt8(ascii: "\""))
        let isContiguous: Void? = value.utf8.withContiguousStorageIfAvailable { bytes in
            Self.writeEscaped(UnsafeRawBufferPointer(bytes), into: &buffer)
        }
        if isContiguous == nil {
            var copy = String(value)
            copy.withUTF8 { Self.writeEscaped(UnsafeRawBufferPointer($0), into: &buffer) }
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private static func writeEscaped(_ bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        var runStart = 0
        for (index, byte) in bytes.enumerated()
        where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            buffer.writeBytes(bytes[runStart..<index])
            runStart = index + 1
            switch byte {
            case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
            case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
            case UInt8(ascii: "\n"): buffer.writeStaticString("\\n")
            case UInt8(ascii: "\r"): buffer.writeStaticString("\\r")
            case UInt8(ascii: "\t"): buffer.writeStaticString("\\t")
            default:
                buffer.writeStaticString("\\u00")
                buffer.writeInteger(HexDigits.lower[Int(byte >> 4)])
                buffer.writeInteger(HexDigits.lower[Int(byte & 15)])
            }
        }
        buffer.writeBytes(bytes[runStart...])
    }
}

enum HexDigits {
    static let lower = Array("0123456789abcdef".utf8)
    static let upper = Array("0123456789ABCDEF".utf8)
}

/// Lower-case text of a UUID without Foundation's formatter.
enum UUIDText {
    static func write(_ id: UUID, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "\""))
        withUnsafeBytes(of: id.uuid) { bytes in
            for (index, byte) in bytes.enumerated() {
                if index == 4 || index == 6 || index == 8 || index == 10 { buffer.writeInteger(UInt8(ascii: "-")) }
                buffer.writeInteger(HexDigits.lower[Int(byte >> 4)])
                buffer.writeInteger(HexDigits.lower[Int(byte & 15)])
            }
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    /// Strict form: 8-4-4-4-12 hexadecimal digits in any case.
    static func parse(_ text: some StringProtocol) -> UUID? {
        text.utf8.count == 36 ? UUID(uuidString: String(text)) : nil
    }
}

/// Times as the API shows them: UTC, at most microseconds, no zeros at the end of the fraction (10-rest-api, 2.11).
enum RFC3339 {
    static func text(_ date: Date, fraction: Bool = true) -> String {
        let microseconds = Int64((date.timeIntervalSince1970 * 1_000_000).rounded())
        var text = Timestamp(microseconds: fraction ? microseconds : microseconds - mod(microseconds, 1_000_000))
            .rfc3339
        guard text.hasSuffix("Z"), let point = text.lastIndex(of: ".") else { return text }
        text.removeLast()
        while text.last == "0", text.index(before: text.endIndex) > point { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text + "Z"
    }

    private static func mod(_ value: Int64, _ divisor: Int64) -> Int64 {
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
