import Cryptography
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the fuzzer calls: bytes from outside go through one decoder, which may refuse them and may not crash
/// (16-performance-durability, section 4.7; 01-transport, sections 5 to 9). Compiled together with the decoders by
/// `scripts/fuzz`; which decoder stands in `FUZZ_TARGET` of the environment.
enum FuzzTarget: String, CaseIterable {
    case frame, stanza, proto, jid, json, noise

    func run(_ bytes: [UInt8]) {
        switch self {
        case .frame:
            // The first byte says into how large pieces the rest is cut.
            guard let size = bytes.first, size > 0 else { return }
            var decoder = FrameDecoder(maximum: 4096)
            var rest = bytes.dropFirst()
            while !rest.isEmpty {
                let piece = ByteBuffer(bytes: rest.prefix(Int(size)))
                rest = rest.dropFirst(Int(size))
                do { try decoder.decode(piece) { _ in } } catch { return }
            }
        case .stanza:
            guard let stanza = try? StanzaCodec.decode(frame: bytes) else { return }
            _ = stanza.description
            guard let written = try? StanzaCodec.encodeFrame(stanza) else { return }
            _ = try? StanzaCodec.decode(frame: written)
        case .proto:
            guard let message = try? ProtoMessage(.message, parsing: bytes) else { return }
            _ = message.json()
            _ = try? ProtoMessage(.message, parsing: message.serialized())
        case .jid:
            let text = String(decoding: bytes, as: UTF8.self)
            if let jid = JID(text) { _ = JID(jid.description) }
            _ = JID.input(text)
        case .json: _ = try? JSONParser.parse(bytes)
        case .noise:
            var client = NoiseClientHandshake(
                staticKey: Self.key(1), ephemeral: Self.key(2), prologue: [], trust: .whatsApp)
            _ = client.clientHello()
            _ = try? client.receive(serverHello: bytes, payload: [1], now: 1_700_000_000)
            _ = try? HandshakeMessage(bytes)
        }
    }

    private static func key(_ byte: UInt8) -> KeyPair {
        KeyPair.generate(random: SeededRandom(seed: [byte], label: "fuzz"))
    }
}

private let chosen: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else { fatalError("FUZZ_TARGET is one of \(FuzzTarget.allCases)") }
    return target
}()

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    chosen.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
