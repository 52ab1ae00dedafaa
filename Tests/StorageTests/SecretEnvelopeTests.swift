import Cryptography
import Testing

@testable import Storage

@Suite("Sealed values")
struct SecretEnvelopeTests {
    private func key(_ byte: UInt8) -> SecretBytes { SecretBytes(Array(repeating: byte, count: 32)) }

    @Test("a value opens under its key and context only")
    func sealing() throws {
        let envelope = try SecretEnvelope(key: key(1))
        let sealed = try envelope.seal([1, 2, 3], context: "devices.proxy_url:1")
        #expect(try envelope.open(sealed, context: "devices.proxy_url:1") == [1, 2, 3])
        #expect(throws: SecretEnvelope.Failure.notAuthentic) {
            try envelope.open(sealed, context: "devices.proxy_url:2")
        }
        #expect(try envelope.seal([1, 2, 3], context: "devices.proxy_url:1") != sealed)
        #expect(throws: SecretEnvelope.Failure.unknownKey) {
            try SecretEnvelope(key: key(2)).open(sealed, context: "devices.proxy_url:1")
        }
        #expect(throws: SecretEnvelope.Failure.malformed) { try envelope.open([], context: "") }
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: SecretEnvelope.Failure.self) { try envelope.open(changed, context: "devices.proxy_url:1") }
        }
    }

    @Test("after a rotation old values open and show that they are outdated")
    func rotation() throws {
        let old = try SecretEnvelope(key: key(1))
        let new = try SecretEnvelope(key: key(2), previous: [key(1)])
        let sealed = try old.seal([7], context: "c")
        #expect(try new.open(sealed, context: "c") == [7])
        #expect(new.isOutdated(sealed))
        #expect(!new.isOutdated(try new.seal([7], context: "c")))
    }

    @Test("records are stored plain or sealed, and read in either form")
    func records() throws {
        let plain = try SecretEnvelope(key: key(1))
        let sealing = try SecretEnvelope(key: key(1), sealsSessionData: true)
        let stored = try plain.storedRecord([1, 2], context: "c")
        #expect(stored == [0, 1, 2])
        #expect(try sealing.record(stored: stored, context: "c") == [1, 2])
        let hidden = try sealing.storedRecord([1, 2], context: "c")
        #expect(hidden.first == 1)
        #expect(try plain.record(stored: hidden, context: "c") == [1, 2])
        #expect(throws: SecretEnvelope.Failure.malformed) { try plain.record(stored: [9], context: "c") }
    }

    @Test("a key has 32 bytes")
    func keyLength() {
        #expect(throws: SecretEnvelope.Failure.invalidKey) { try SecretEnvelope(key: SecretBytes([1])) }
    }
}
