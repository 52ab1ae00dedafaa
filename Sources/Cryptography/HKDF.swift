import CSodium

/// HKDF of RFC 5869 with SHA-256. An empty salt is the same as 32 zero bytes.
package enum HKDFSHA256 {
    /// `count` bytes, at most 255 × 32.
    package static func derive(
        inputKeyMaterial: some Collection<UInt8>, salt: some Collection<UInt8> = Bytes(), info: some Collection<UInt8>,
        count: Int
    ) -> Bytes {
        withBytes(inputKeyMaterial) { input in
            withBytes(salt) { salt in
                withBytes(info) { info in
                    Bytes(filling: count) { derive(input, salt: salt, info: info, into: $0) }
                }
            }
        }
    }

    package static func derive(
        inputKeyMaterial: SecretBytes, salt: some Collection<UInt8> = Bytes(), info: some Collection<UInt8>, count: Int
    ) -> Bytes {
        inputKeyMaterial.withUnsafeBytes { input in
            withBytes(salt) { salt in
                withBytes(info) { info in
                    Bytes(filling: count) { derive(input, salt: salt, info: info, into: $0) }
                }
            }
        }
    }

    /// Fills `output` and leaves no other copy of what it derived.
    package static func derive(
        _ input: UnsafeRawBufferPointer, salt: UnsafeRawBufferPointer, info: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) {
        var engine = HMACEngine(.sha256)
        derive(input, salt: salt, info: info, into: output, with: &engine)
    }

    /// The same with a caller's engine, whose key it replaces.
    package static func derive(
        _ input: UnsafeRawBufferPointer, salt: UnsafeRawBufferPointer, info: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer, with engine: inout HMACEngine
    ) {
        precondition(output.count <= 255 * 32, "HKDF gives at most 8160 bytes")
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 16) { block in
            defer { sodium_memzero(block.octets, 32) }
            engine.setKey(salt)
            engine.begin()
            engine.update(input)
            engine.finish(block.octets)
            engine.setKey(UnsafeRawBufferPointer(block))
            var written = 0
            var counter: UInt8 = 1
            while written < output.count {
                engine.begin()
                if written > 0 { engine.update(UnsafeRawBufferPointer(block)) }
                engine.update(info)
                withUnsafeBytes(of: counter) { engine.update($0) }
                engine.finish(block.octets)
                let size = min(32, output.count - written)
                UnsafeMutableRawBufferPointer(rebasing: output[written..<written + size])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<size]))
                written += size
                counter &+= 1
            }
        }
    }
}
