import Cryptography
import Testing
import Transport

@Suite("Stanza decoder against hostile bytes")
struct StanzaFuzzTests {
    /// A small deterministic generator (xorshift), fast enough for many thousand inputs.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    private func seeds() throws -> [[UInt8]] {
        let message = Stanza(
            "message", ["id": "3EB0C767D0971F", "to": .jid(.lid("123456789012345", device: 3)), "t": 1_700_000_000],
            children: [
                Stanza(
                    "participants",
                    children: (0..<5).map { number in
                        Stanza(
                            "to", ["jid": .jid(.user("1555123456\(number)", device: UInt16(number)))],
                            children: [
                                Stanza("enc", ["v": "2", "type": "msg"], bytes: [UInt8](repeating: 7, count: 40))
                            ])
                    }),
                Stanza("x-unknown", ["k": "DEADBEEF", "u": "übung"], text: "text"),
            ])
        let usync = Stanza(
            "iq", ["from": .jid(.serverJID), "id": "1.2-3", "type": "result"],
            children: [
                Stanza("usync", children: [Stanza("list", children: Array(repeating: Stanza("user"), count: 300))])
            ])
        let odd = Stanza("call", ["from": .jid(JID(user: "1", server: .interop, device: 9, integrator: 4))])
        return try [message, usync, odd].map { try StanzaCodec.encodeFrame($0) }
    }

    @Test("30,000 mutated frames are decoded or refused, and what is decoded can be encoded and read again")
    func mutations() throws {
        var generator = Generator(state: 0x1234_5678_9ABC_DEF1)
        let seeds = try seeds()
        var accepted = 0
        for round in 0..<30_000 {
            var frame = seeds[round % seeds.count]
            for _ in 0...Int.random(in: 0...3, using: &generator) {
                let position = Int.random(in: 0..<frame.count, using: &generator)
                switch Int.random(in: 0...4, using: &generator) {
                case 0: frame[position] = UInt8.random(in: 0...255, using: &generator)
                case 1: frame[position] = UInt8.random(in: 236...255, using: &generator)
                case 2: frame.removeLast(min(frame.count - 1, Int.random(in: 0...20, using: &generator)))
                case 3: frame.insert(UInt8.random(in: 0...255, using: &generator), at: position)
                default: frame[position] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                }
            }
            frame[0] &= ~2
            guard let stanza = try? StanzaCodec.decode(frame: frame) else { continue }
            accepted += 1
            _ = stanza.description
            // A value the wire carries but we do not write (a server of no name) may be refused, never mangled.
            if let again = try? StanzaCodec.encodeFrame(stanza) {
                _ = try StanzaCodec.decode(frame: again)
            }
        }
        #expect(accepted > 1000)
    }

    @Test("random bytes never trap, with and without the compression flag")
    func noise() {
        var generator = Generator(state: 42)
        for _ in 0..<5_000 {
            let count = Int.random(in: 0...200, using: &generator)
            var frame = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if count > 1, Bool.random(using: &generator) { frame[1] = 0xF8 }
            _ = try? StanzaCodec.decode(frame: frame)
        }
    }

    @Test("a compressed frame decodes, whatever the other flag bits")
    func compressed() throws {
        let stanza = Stanza("iq", ["id": "1"], children: Array(repeating: Stanza("user", ["jid": "1"]), count: 500))
        var frame = try StanzaCodec.encodeCompressedFrame(stanza)
        #expect(frame.count < 200)
        #expect(try StanzaCodec.decode(frame: frame) == stanza)
        frame[0] |= 0x11
        #expect(try StanzaCodec.decode(frame: frame) == stanza)
    }

    @Test("a stream that inflates beyond 16 MiB is cut off")
    func compressionBomb() {
        let bomb = Zlib.deflate([UInt8](repeating: 0, count: 17 << 20))
        #expect(bomb.count < 40_000)
        #expect(throws: StanzaError.limitExceeded(.bytes)) { try StanzaCodec.decode(frame: [2] + bomb) }
        #expect(throws: StanzaError.invalidCompression) { try StanzaCodec.decode(frame: [2] + bomb.prefix(1000)) }
    }
}
