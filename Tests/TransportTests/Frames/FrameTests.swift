import NIOCore
import Testing
import Transport

@Suite("Frames")
struct FrameTests {
    private func frames(_ bodies: [[UInt8]]) throws -> [UInt8] {
        var buffer = ByteBuffer()
        for body in bodies { try FrameEncoder.encode(body, into: &buffer) }
        return Array(buffer.readableBytesView)
    }

    @Test("a stream of three frames split at every pair of byte boundaries gives the same frames")
    func everySplit() throws {
        let bodies: [[UInt8]] = [[1], Array(2...20), [7, 7]]
        let stream = try frames(bodies)
        for first in 0...stream.count {
            for second in first...stream.count {
                var decoder = FrameDecoder()
                var received: [[UInt8]] = []
                for piece in [stream[..<first], stream[first..<second], stream[second...]] {
                    try decoder.decode(ByteBuffer(bytes: piece)) { received.append(Array($0.readableBytesView)) }
                }
                #expect(received == bodies)
                #expect(decoder.pendingCount == 0)
            }
        }
    }

    @Test("a stream that comes byte by byte gives the same frames")
    func singleBytes() throws {
        let bodies: [[UInt8]] = [Array(repeating: 3, count: 700), [], [1, 2]]
        var decoder = FrameDecoder()
        var received: [[UInt8]] = []
        for byte in try frames(bodies) {
            try decoder.decode(ByteBuffer(bytes: [byte])) { received.append(Array($0.readableBytesView)) }
        }
        #expect(received == bodies)
    }

    @Test("a frame beyond the maximum is refused at its length, before its body is there")
    func maximum() throws {
        var decoder = FrameDecoder(maximum: 100)
        #expect(throws: FrameError.frameTooLarge(101)) { try decoder.decode(ByteBuffer(bytes: [0, 0, 101])) { _ in } }
        var buffer = ByteBuffer()
        let large = [UInt8](repeating: 0, count: 1 << 24)
        #expect(throws: FrameError.frameTooLarge(1 << 24)) { try FrameEncoder.encode(large, into: &buffer) }
        #expect(buffer.readableBytes == 0)
    }

    @Test("an announced large frame reserves little until its bytes arrive, and a rest holds no receive buffer")
    func reservation() throws {
        var decoder = FrameDecoder()
        try decoder.decode(ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 1, 2])) { _ in }
        #expect(decoder.pendingCount == 5)
    }

    @Test("the server's end takes the intro with and without edge routing, split anywhere")
    func clientStream() throws {
        for routing in [nil, [9, 8, 7]] as [[UInt8]?] {
            let stream = try Intro.bytes(routingInfo: routing) + frames([[5], [6]])
            for split in 0...stream.count {
                var decoder = ClientStreamDecoder()
                var received: [[UInt8]] = []
                for piece in [stream[..<split], stream[split...]] {
                    try decoder.decode(ByteBuffer(bytes: piece)) { received.append(Array($0.readableBytesView)) }
                }
                #expect(received == [[5], [6]])
                #expect(decoder.routingInfo == routing)
            }
        }
        #expect(Intro.bytes(routingInfo: [1]) == [0x45, 0x44, 0, 1, 0, 0, 1, 1, 0x57, 0x41, 6, 3])
        #expect(Intro.bytes(routingInfo: []) == [0x57, 0x41, 6, 3])
    }

    @Test(
        "another magic, dictionary version or preamble is refused at the first wrong byte",
        arguments: [
            [0x47], [0x57, 0x42], [0x57, 0x41, 5], [0x57, 0x41, 6, 2], [0x45, 0x44, 1],
            [0x45, 0x44, 0, 1, 0, 0, 0, 0x58],
        ] as [[UInt8]])
    func wrongIntro(_ bytes: [UInt8]) {
        var decoder = ClientStreamDecoder()
        #expect(throws: FrameError.invalidIntro) { try decoder.decode(ByteBuffer(bytes: bytes)) { _ in } }
    }

    @Test("an oversized preamble is refused")
    func oversizedPreamble() {
        var decoder = ClientStreamDecoder()
        #expect(throws: FrameError.routingInfoTooLarge) {
            try decoder.decode(ByteBuffer(bytes: [0x45, 0x44, 0, 1, 1, 0, 0])) { _ in }
        }
    }
}
