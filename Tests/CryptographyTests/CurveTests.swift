import CSodium
import Testing

@testable import Cryptography

@Suite("X25519 and XEdDSA")
struct CurveTests {
    private func hex(_ text: String) -> Bytes { Hex.decode(text) ?? [] }

    @Test("agreement gives the known shared secret from both sides (03-signal, 16.1)")
    func agreement() throws {
        let alice = try PrivateKey(raw: hex("c806439dc9d2c476ffed8f2580c0888d58ab406bf7ae3698879021b96bb4bf59"))
        let bob = try PrivateKey(raw: hex("b03b34c33a1c44f225b662d2bf4859b8135411fa7b0386d45fb75dc5b91b4466"))
        #expect(
            Hex.encode(alice.publicKey.raw) == "1bb75966f2e93a3691dfff942bb2a466a1c08b8d78ca3f4d6df8b8bfa2e4ee28")
        #expect(Hex.encode(bob.publicKey.raw) == "653614993d2b15ee9e5fd3d86ce719ef4ec1daae1886a87b3f5fa9565a27a22f")
        let shared = hex("325f239328941ced6e673b86ba41017448e99b649a9c3806c1dd7ca4c477e629")
        #expect(try alice.agree(with: bob.publicKey).bytes == shared)
        #expect(try bob.agree(with: alice.publicKey).bytes == shared)
    }

    @Test("agreement with a point of small order is an error, not a zero secret")
    func smallOrder() throws {
        let key = KeyPair.generate().privateKey
        let points = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        for point in points {
            let peer = try PublicKey(raw: hex(point))
            #expect(throws: CryptographyError.invalidPublicKey) { try key.agree(with: peer) }
        }
    }

    @Test("a public key parses from 32 raw or 33 serialized bytes and from nothing else")
    func publicKeyForms() throws {
        let raw = SystemRandom().bytes(32)
        let key = try PublicKey(raw: raw)
        #expect(key.raw == raw)
        #expect(key.serialized == [5] + raw)
        #expect(try PublicKey(serialized: [5] + raw) == key)
        #expect(throws: CryptographyError.invalidPublicKey) { try PublicKey(serialized: [4] + raw) }
        #expect(throws: CryptographyError.invalidKeyLength(expected: 33, actual: 32)) { try PublicKey(serialized: raw) }
        #expect(throws: CryptographyError.invalidKeyLength(expected: 32, actual: 33)) { try PublicKey(raw: [5] + raw) }
        #expect(throws: CryptographyError.invalidKeyLength(expected: 32, actual: 0)) { try PrivateKey(raw: Bytes()) }
    }

    @Test("the public key derived through the Edwards form equals libsodium's, and both conversions agree")
    func derivation() {
        for _ in 0..<2_000 {
            let key = PrivateKey(random: SystemRandom())
            var expected = Bytes(repeating: 0, count: 32)
            #expect(crypto_scalarmult_curve25519_base(&expected, key.secret.bytes) == 0)
            #expect(key.publicKey.raw == expected)
            var y = key.edwards.bytes
            y[31] &= 0x7F
            #expect(VerificationKey(key.publicKey).y.bytes == y)
        }
    }

    @Test("field arithmetic wraps at p: 0, p − 1, p, p + 1 and 2^255 − 1 behave")
    func fieldEdges() {
        func element(_ low: UInt64, _ rest: UInt64, _ top: UInt64) -> FieldElement {
            FieldElement(words: (low, rest, rest, top))
        }
        let zero = element(0, 0, 0)
        let minusOne = element(0xFFFF_FFFF_FFFF_FFEC, .max, 0x7FFF_FFFF_FFFF_FFFF)
        let p = element(0xFFFF_FFFF_FFFF_FFED, .max, 0x7FFF_FFFF_FFFF_FFFF)
        let pPlusOne = element(0xFFFF_FFFF_FFFF_FFEE, .max, 0x7FFF_FFFF_FFFF_FFFF)
        let top = element(.max, .max, 0x7FFF_FFFF_FFFF_FFFF)
        #expect(p == zero)
        #expect(pPlusOne == .one)
        #expect(minusOne + .one == zero)
        #expect(zero - .one == minusOne)
        #expect(minusOne * minusOne == .one)
        #expect(top == element(18, 0, 0))
        #expect(top * top == element(324, 0, 0))
        #expect(zero.inverse == zero)
        #expect(minusOne.inverse == minusOne)
        #expect((top * top.inverse) == .one)
        #expect((zero - top) + top == zero)
    }

    @Test("multiplication distributes over sums and differences, for limbs of all ones, zeros and random ones")
    func fieldLaws() {
        var generator = SystemRandomNumberGenerator()
        func element(_ round: Int) -> FieldElement {
            func limb(_ index: Int) -> UInt64 {
                switch round >> (2 * index) & 3 {
                case 0: 0
                case 1: .max
                case 2: 1
                default: generator.next()
                }
            }
            return FieldElement(words: (limb(0), limb(1), limb(2), limb(3)))
        }
        for round in 0..<4_096 {
            let (a, b, c) = (element(round), element(round &* 31), element(round &* 131))
            #expect((a + b) * c == a * c + b * c)
            #expect((a - b) * c == a * c - b * c)
            #expect((a * b) * c == a * (b * c))
            #expect(a == .one - .one || a * a.inverse == .one)
        }
    }

    @Test("a signature with sign bit 1 verifies, and no bit of it may flip (03-signal, 16.2)")
    func signBitOne() throws {
        let key = try PublicKey(raw: hex("ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64"))
        let message = hex("05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a")
        let signature = hex(
            "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfbede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
        )
        let own = try PrivateKey(raw: hex("c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865"))
        #expect(own.publicKey == key)
        #expect(Hex.encode(own.edwards.bytes) == "6e76ed464e9784130e359de1d7cd59c71d12abb745b0c436f7a2a0c93bc562c4")
        #expect(key.verify(signature: signature, of: message))
        for bit in 0..<512 {
            var damaged = signature
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.verify(signature: damaged, of: message), "bit \(bit)")
        }
        #expect(!key.verify(signature: signature, of: message + [0]))
        #expect(!key.verify(signature: signature.dropLast(), of: message))
        #expect(!key.verify(signature: signature + [0], of: message))
        #expect(!key.verify(signature: Bytes(), of: message))
    }

    @Test("signing with the given random bytes gives the known signatures (03-signal, 16.5)")
    func knownSignatures() throws {
        func key(_ label: String) throws -> PrivateKey {
            var scalar = SHA256Digest.hash(Bytes(label.utf8))
            scalar[0] &= 0xF8
            scalar[31] = scalar[31] & 0x7F | 0x40
            return try PrivateKey(raw: scalar)
        }
        let message = try key("kat/bob-signed-prekey").publicKey.serialized
        let random = Bytes(0..<64)
        #expect(
            try Hex.encode(key("kat/alice-identity").sign(message, random: random))
                == "55b1343f0047b8379a60bf99d5b622ab819567128ead628b5637d44e3f353af1ba40a55f4ca6accea23e8bb3b7f97945e6e38de739004379f8cf040ad0a0f20e"
        )
        #expect(
            try Hex.encode(key("kat/bob-identity").sign(message, random: random))
                == "3b6118c83ad207f3efdc4e5621a3782c4c0badbd5b8eabc49da2dada60630e13d92cc27eada9af5d0c24ef874fd8d7389c2d225ddc8d6df58c864881f289a000"
        )
    }

    @Test("what a random key signs verifies under it and under nothing else, with both sign bits")
    func randomRoundTrips() {
        let random = SeededRandom(seed: [1], label: "xeddsa round trips")
        var signBits = Set<UInt8>()
        let stranger = KeyPair.generate(random: random).publicKey
        for round in 0..<10_000 {
            let pair = KeyPair.generate(random: random)
            let message = random.bytes(round % 97)
            let signature = pair.privateKey.sign(message, random: random.bytes(64))
            #expect(pair.publicKey.verify(signature: signature, of: message))
            signBits.insert(signature[63] >> 7)
            guard round % 10 == 0 else { continue }
            #expect(!stranger.verify(signature: signature, of: message))
            #expect(!pair.publicKey.verify(signature: signature, of: message + [1]))
            var damaged = signature
            damaged[round % 64] ^= 1 << UInt8(round % 8)
            #expect(!pair.publicKey.verify(signature: damaged, of: message))
        }
        #expect(signBits == [0, 1])
    }

    @Test("a key without an Edwards form, and small-order signers, verify nothing")
    func hostileKeys() throws {
        let signature = KeyPair.generate().privateKey.sign(Bytes("x".utf8))
        let minusOne = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
        for key in [minusOne, String(repeating: "0", count: 64), String(repeating: "f", count: 64)] {
            let peer = try PublicKey(raw: hex(key))
            #expect(!peer.verify(signature: signature, of: Bytes("x".utf8)))
            #expect(!peer.verify(signature: Bytes(repeating: 0, count: 64), of: Bytes("x".utf8)))
        }
    }
}
