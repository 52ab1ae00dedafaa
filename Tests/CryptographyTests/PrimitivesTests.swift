import Cryptography
import Testing

@Suite("Digests, MACs, key derivation and ciphers against published vectors")
struct PrimitivesTests {
    private func hex(_ text: String) -> Bytes { Hex.decode(text) ?? [] }

    @Test("each digest of \"abc\" is the published one")
    func digests() {
        let abc = Bytes("abc".utf8)
        #expect(
            Hex.encode(SHA256Digest.hash(abc)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Hex.encode(SHA1Digest.hash(abc)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(Hex.encode(MD5Digest.hash(abc)) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(
            Hex.encode(SHA512Digest.hash(abc))
                == "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        )
        #expect(
            Hex.encode(SHA256Digest.hash([]))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test("a digest taken in pieces equals the digest of the whole")
    func incrementalDigest() {
        var hasher = SHA256Hasher()
        hasher.update(Bytes("a".utf8))
        hasher.update(Bytes())
        hasher.update("bc".utf8)
        #expect(hasher.finalize() == SHA256Digest.hash("abc".utf8))
    }

    @Test("HMAC gives RFC 4231's authenticators, for short keys and keys longer than a block")
    func hmac() {
        let short = Bytes(repeating: 0x0B, count: 20)
        let data = Bytes("Hi There".utf8)
        #expect(
            Hex.encode(HMACSHA256.authenticate(data, key: short))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            Hex.encode(HMACSHA512.authenticate(data, key: SecretBytes(short)))
                == "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
        )
        let long = Bytes(repeating: 0xAA, count: 131)
        let message = Bytes("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        #expect(
            Hex.encode(HMACSHA256.authenticate(message, key: SecretBytes(long)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        #expect(
            Hex.encode(HMACSHA512.authenticate(message, key: long))
                == "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
        )
    }

    @Test("HKDF gives RFC 5869's output, with and without salt and info")
    func hkdf() {
        let input = Bytes(repeating: 0x0B, count: 22)
        let first = HKDFSHA256.derive(
            inputKeyMaterial: input, salt: hex("000102030405060708090a0b0c"), info: hex("f0f1f2f3f4f5f6f7f8f9"),
            count: 42)
        #expect(
            Hex.encode(first) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        let bare = HKDFSHA256.derive(inputKeyMaterial: SecretBytes(input), info: Bytes(), count: 42)
        #expect(
            Hex.encode(bare) == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        let zeros = Bytes(repeating: 0, count: 32)
        #expect(HKDFSHA256.derive(inputKeyMaterial: input, salt: zeros, info: Bytes(), count: 42) == bare)
        #expect(HKDFSHA256.derive(inputKeyMaterial: input, info: Bytes(), count: 0).isEmpty)
        let long = HKDFSHA256.derive(
            inputKeyMaterial: Bytes(0x00...0x4F), salt: Bytes(0x60...0xAF), info: Bytes(0xB0...0xFF), count: 82)
        #expect(
            Hex.encode(long)
                == "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        )
    }

    @Test("PBKDF2 with HMAC-SHA-256 gives RFC 7914's output")
    func pbkdf2() {
        let derived = PBKDF2SHA256.derive(password: "passwd".utf8, salt: "salt".utf8, rounds: 1, count: 64)
        #expect(
            Hex.encode(derived)
                == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
        )
    }

    @Test("AES-256-CBC encrypts NIST's block, pads by PKCS#7 and refuses damaged padding")
    func cbc() throws {
        let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
        let iv = hex("000102030405060708090a0b0c0d0e0f")
        let block = hex("6bc1bee22e409f96e93d7e117393172a")
        let sealed = try AESCBC.encrypt(block, key: key, iv: iv)
        #expect(sealed.count == 32)
        #expect(Hex.encode(sealed.prefix(16)) == "f58c4c04d6e5f1ba779eabfb5f7bfbd6")
        #expect(try AESCBC.decrypt(sealed, key: SecretBytes(key), iv: iv) == block)
        for count in 0...49 {
            let text = Bytes(repeating: UInt8(count), count: count)
            let body = try AESCBC.encrypt(text, key: SecretBytes(key), iv: iv)
            #expect(body.count == AESCBC.paddedCount(count))
            #expect(try AESCBC.decrypt(body, key: key, iv: iv) == text)
        }
        var damaged = sealed
        damaged[15] ^= 0xFF
        #expect(throws: CryptographyError.invalidPadding) { try AESCBC.decrypt(damaged, key: key, iv: iv) }
        #expect(throws: CryptographyError.invalidPadding) { try AESCBC.decrypt(Bytes(), key: key, iv: iv) }
        #expect(throws: CryptographyError.invalidPadding) { try AESCBC.decrypt(sealed.dropLast(), key: key, iv: iv) }
        #expect(throws: CryptographyError.invalidKeyLength(expected: 32, actual: 16)) {
            try AESCBC.encrypt(block, key: iv, iv: iv)
        }
    }

    @Test("AES-256-CTR gives NIST's keystream in both directions")
    func ctr() throws {
        let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
        let iv = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
        let text = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
        let sealed = try AESCTR.apply(text, key: key, iv: iv)
        #expect(Hex.encode(sealed) == "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5")
        #expect(try AESCTR.apply(sealed, key: SecretBytes(key), iv: iv) == text)
    }

    @Test("AES-256-GCM gives the published ciphertext and tag, and refuses anything changed")
    func gcm() throws {
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
        let nonce = hex("cafebabefacedbaddecaf888")
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        let text = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        )
        let sealed = try AESGCM.seal(text, key: key, nonce: nonce, aad: aad)
        #expect(
            Hex.encode(sealed)
                == "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                + "76fc6ece0f4e1768cddf8853bb2d551b")
        #expect(try AESGCM.open(sealed, key: SecretBytes(key), nonce: nonce, aad: aad) == text)
        for index in sealed.indices {
            var damaged = sealed
            damaged[index] ^= 1
            #expect(throws: CryptographyError.authenticationFailed) {
                try AESGCM.open(damaged, key: key, nonce: nonce, aad: aad)
            }
        }
        #expect(throws: CryptographyError.authenticationFailed) { try AESGCM.open(sealed, key: key, nonce: nonce) }
        #expect(throws: CryptographyError.authenticationFailed) {
            try AESGCM.open(sealed.prefix(15), key: key, nonce: nonce, aad: aad)
        }
        #expect(throws: CryptographyError.invalidKeyLength(expected: 12, actual: 11)) {
            try AESGCM.seal(text, key: key, nonce: nonce.dropLast())
        }
        #expect(throws: CryptographyError.invalidKeyLength(expected: 32, actual: 31)) {
            try AESGCM.seal(text, key: key.dropLast(), nonce: nonce)
        }
    }

    @Test("a kept GCM key seals and opens in place with Noise's counter nonce, empty messages included")
    func gcmInPlace() throws {
        let key = SystemRandom().bytes(32)
        let cipher = try AESGCMKey(key)
        for counter in [0, 1, 255, 256, UInt32.max] {
            for count in [0, 1, 16, 100] {
                let text = Bytes(repeating: 7, count: count)
                var buffer = text + Bytes(repeating: 0, count: 16)
                try buffer.withUnsafeMutableBytes { try cipher.seal($0, counter: counter) }
                let nonce = Bytes(repeating: 0, count: 8) + withUnsafeBytes(of: counter.bigEndian) { Bytes($0) }
                #expect(try buffer == AESGCM.seal(text, key: key, nonce: nonce))
                let opened = try buffer.withUnsafeMutableBytes { try cipher.open($0, counter: counter) }
                #expect(Bytes(buffer.prefix(opened)) == text)
            }
        }
        var short = Bytes(repeating: 0, count: 15)
        #expect(throws: CryptographyError.authenticationFailed) {
            try short.withUnsafeMutableBytes { try cipher.open($0, counter: 0) }
        }
    }
}
