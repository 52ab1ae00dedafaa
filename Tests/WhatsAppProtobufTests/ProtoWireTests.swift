import Testing
import WhatsAppProtobuf

@Suite("Protobuf wire format")
struct ProtoWireTests {
    @Test("what the writer writes the reader reads, in order")
    func roundTrip() throws {
        var writer = ProtoWriter()
        writer.varint(1, .max)
        writer.int(2, -1)
        writer.bytes(3, [1, 2, 3] as [UInt8])
        writer.string(4, "äöü")
        writer.fixed64(5, 0x0102_0304_0506_0708)
        writer.fixed32(536_870_911, 7)
        writer.message(6) { $0.bool(1, true) }

        var reader = ProtoReader(writer.bytes)
        var fields: [ProtoField] = []
        while let field = try reader.next() { fields.append(field) }
        #expect(fields.map(\.number) == [1, 2, 3, 4, 5, 536_870_911, 6])
        #expect(fields[0].uint == .max)
        #expect(fields[1].int == -1)
        #expect(Array(fields[2].bytes) == [1, 2, 3])
        #expect(fields[3].string == "äöü")
        #expect(fields[4].uint == 0x0102_0304_0506_0708)
        #expect(fields[5].uint32 == 7)
        #expect(Array(fields[6].bytes) == [8, 1])
        #expect(reader.remaining == 0)
    }

    @Test(
        "bytes that are no protobuf are refused with the reason",
        arguments: [
            ([0x08], ProtoError.truncated),
            ([0x08, 0x80], .truncated),
            ([0x08] + Array(repeating: 0xFF, count: 9) + [0x02], .malformedVarint),
            ([0x08] + Array(repeating: 0x80, count: 11), .malformedVarint),
            ([0x0A, 0x05, 1, 2], .truncated),
            ([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], .truncated),
            ([0x09, 1, 2, 3], .truncated),
            ([0x0D, 1, 2, 3], .truncated),
            ([0x00, 0x00], .invalidFieldNumber),
            ([0x80, 0x80, 0x80, 0x80, 0x10, 0x00], .invalidFieldNumber),
            ([0x0B], .unsupportedWireType(3)),
            ([0x0C], .unsupportedWireType(4)),
            ([0x0E], .unsupportedWireType(6)),
            ([0x0F], .unsupportedWireType(7)),
        ] as [([UInt8], ProtoError)])
    func refused(bytes: [UInt8], reason: ProtoError) {
        var reader = ProtoReader(bytes)
        #expect(throws: reason) { while try reader.next() != nil {} }
        #expect(throws: reason) { try ProtoMessage(.messageKey, parsing: bytes) }
    }

    @Test("an empty input has no fields")
    func empty() throws {
        var reader = ProtoReader([])
        #expect(try reader.next() == nil)
        #expect(try ProtoMessage(.message, parsing: []).isEmpty)
    }
}
