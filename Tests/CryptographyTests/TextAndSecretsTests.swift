import Cryptography
import Testing

@Suite("Text encodings, secrets and random sources")
struct TextAndSecretsTests {
    @Test("hex decodes what it encodes, in either case, and refuses other text")
    func hex() {
        let bytes = Bytes(0...255)
        #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        #expect(Hex.decode("00FFab") == [0, 255, 0xAB])
        #expect(Hex.decode("") == [])
        for bad in ["0", "0g", " 00", "0x00", "é0"] { #expect(Hex.decode(bad) == nil) }
    }

    @Test("base-64 gives RFC 4648's texts in both alphabets and refuses what is not canonical")
    func base64() {
        let texts = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy"),
        ]
        for (plain, encoded) in texts {
            #expect(Base64.encode(Bytes(plain.utf8)) == encoded)
            #expect(Base64.decode(encoded) == Bytes(plain.utf8))
        }
        #expect(Base64.encodeURLSafe([0xFB, 0xFF]) == "-_8")
        #expect(Base64.decodeURLSafe("-_8") == [0xFB, 0xFF])
        #expect(Base64.decodeURLSafe("-_8=") == [0xFB, 0xFF])
        for count in 0..<40 {
            let bytes = SystemRandom().bytes(count)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decodeURLSafe(Base64.encodeURLSafe(bytes)) == bytes)
        }
        for bad in ["Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zm-v", "Zm9v\n", "=Zg="] {
            #expect(Base64.decode(bad) == nil, "\(bad)")
        }
        for bad in ["A", "Zh", "Zm+v", "Zg==="] { #expect(Base64.decodeURLSafe(bad) == nil, "\(bad)") }
    }

    @Test("a secret never shows its bytes, and compares by content")
    func secrets() {
        let secret = SecretBytes(Bytes("hunter2".utf8))
        #expect("\(secret)" == "<redacted>")
        #expect(String(reflecting: secret) == "<redacted>")
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("104") && !dumped.contains("hunter"))
        #expect("\(PrivateKey(random: SystemRandom()))" == "<redacted>")
        #expect(secret == SecretBytes("hunter2".utf8))
        #expect(secret != SecretBytes("hunter3".utf8))
        #expect(secret != SecretBytes("hunter".utf8))
        #expect(secret.bytes == Bytes("hunter2".utf8))
        #expect(SecretBytes([]).count == 0)
        #expect(SecretBytes([]) == SecretBytes([]))
    }

    @Test("constant-time comparison compares whole contents")
    func comparison() {
        #expect(constantTimeEquals([1, 2, 3], [1, 2, 3][...]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2, 4]))
        #expect(constantTimeEquals([], Bytes()))
    }

    @Test("a seeded stream is the same whatever the sizes of the draws, and differs by label")
    func seededRandom() {
        let seed = Bytes("seed".utf8)
        let whole = SeededRandom(seed: seed, label: "a").bytes(500)
        let pieces = SeededRandom(seed: seed, label: "a")
        var joined = Bytes()
        for count in [0, 1, 63, 64, 65, 7, 300] { joined += pieces.bytes(count) }
        #expect(joined == whole)
        #expect(SeededRandom(seed: seed, label: "b").bytes(500) != whole)
        #expect(SeededRandom(seed: [1], label: "a").bytes(500) != whole)
    }
}
