import AdminAuth
import Cryptography
import Foundation
import Testing

@Suite("Device tokens")
struct TokenTests {
    let key = SecretBytes(Bytes("switchboard-test-jwt-secret-0123456789".utf8))
    let known = """
        eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJkZXZpY2VfaWQiOiI3YzFmMGI3ZS00YTUyLTRmNmQtOWQwYy0yZjZmNWUwYTliMTEiLCJhcGlfa2\
        V5X2lkIjo0MiwidmVyc2lvbiI6Mywic3ViIjoiN2MxZjBiN2UtNGE1Mi00ZjZkLTlkMGMtMmY2ZjVlMGE5YjExIiwibmJmIjoxNzYwMDAwMDAwLCJpYX\
        QiOjE3NjAwMDAwMDB9.hArSEpybjqUXRv7vvlgJgDz7aADXzvk07JUprhcZUP8
        """
    var token: DeviceToken {
        get throws {
            DeviceToken(
                deviceID: try #require(UUID(uuidString: "7c1f0b7e-4a52-4f6d-9d0c-2f6f5e0a9b11")), tenantID: 42,
                version: 3,
                issuedAt: 1_760_000_000)
        }
    }

    @Test("signing gives the known answer of 10-rest-api, section 25, byte for byte")
    func knownAnswer() throws {
        #expect(TokenSigner(key: key).sign(try token) == known)
    }

    @Test("a signed token verifies to what was signed")
    func roundTrip() throws {
        var token = try token
        token.jid = "15557770000:7@s.whatsapp.net"
        let signer = TokenSigner(key: key)
        #expect(try signer.verify(signer.sign(token), now: 1_760_000_001).token == token)
    }

    @Test("the previous key verifies and never signs")
    func rotation() throws {
        let new = TokenSigner(key: SecretBytes(Bytes("another-secret-of-some-length-000".utf8)), previous: key)
        #expect(try new.verify(known, now: 1_760_000_001).token == token)
        #expect(new.sign(try token) != known)
    }

    @Test("every changed byte is refused")
    func tampering() throws {
        let signer = TokenSigner(key: key)
        let bytes = Array(known.utf8)
        for index in bytes.indices where index % 7 == 0 {
            var changed = bytes
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            // The last character of a segment may differ in bits that encode nothing.
            guard String(decoding: changed, as: UTF8.self) != known, index != bytes.count - 1 else { continue }
            #expect(throws: TokenError.self) {
                try signer.verify(String(decoding: changed, as: UTF8.self), now: 1_760_000_001)
            }
        }
    }

    @Test("other algorithms are refused even with a right signature", arguments: ["none", "HS384", "hs256", "RS256"])
    func algorithms(name: String) throws {
        let header = Base64.encodeURLSafe(Bytes(#"{"alg":"\#(name)","typ":"JWT"}"#.utf8))
        let payload = String(known.split(separator: ".")[1])
        let signed = header + "." + payload
        let signature = Base64.encodeURLSafe(HMACSHA256.authenticate(Bytes(signed.utf8), key: key))
        #expect(throws: TokenError.algorithm) {
            try TokenSigner(key: key).verify(signed + "." + signature, now: 1_760_000_001)
        }
    }

    @Test("times count: not before, with a minute of leeway, and expiry where there is one")
    func times() throws {
        let signer = TokenSigner(key: key)
        #expect(throws: TokenError.notYetValid) { try signer.verify(known, now: 1_759_999_939) }
        #expect(try signer.verify(known, now: 1_759_999_940).expiresAt == nil)
        let payload = #"{"device_id":"7c1f0b7e-4a52-4f6d-9d0c-2f6f5e0a9b11","version":1,"exp":100}"#
        let signed = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + Base64.encodeURLSafe(Bytes(payload.utf8))
        let text = signed + "." + Base64.encodeURLSafe(HMACSHA256.authenticate(Bytes(signed.utf8), key: key))
        #expect(throws: TokenError.expired) { try signer.verify(text, now: 100) }
        #expect(try signer.verify(text, now: 99).expiresAt == 100)
    }

    @Test(
        "text that is no token is refused without harm",
        arguments: ["", ".", "..", "abc.def.ghi", "a.b", "a.b.c.d", String(repeating: "a", count: 5000)])
    func malformed(text: String) {
        #expect(throws: TokenError.malformed) { try TokenSigner(key: key).verify(text, now: 1_760_000_001) }
    }

    @Test("the cache forgets tokens that expire and stays within its bound")
    func cache() throws {
        let cache = TokenCache(capacity: 2)
        let verified = try TokenSigner(key: key).verify(known, now: 1_760_000_001)
        cache.insert(verified, for: known, now: 0)
        #expect(cache.token(for: known, now: 599) == verified.token)
        #expect(cache.token(for: known, now: 600) == nil)
        for number in 0..<5 { cache.insert(verified, for: "t\(number)", now: 0) }
        #expect(cache.token(for: "t0", now: 0) == nil)
        #expect(cache.token(for: "t4", now: 0) != nil)
    }
}

@Suite("API keys and secrets")
struct CredentialTests {
    @Test("the hash of an API key is the known answer and its masked form shows twelve characters")
    func hash() {
        let key = APIKey(text: "wam_0123456789abcdef0123456789ab")
        #expect(
            Hex.encode(CredentialHasher().hash(apiKey: key.text))
                == "ec2aea7ea8acad6085cd3b88cf8404abd2e4b95cff60be9598d4765bdc2c1235")
        #expect(key.masked == "wam_0123...89ab")
    }

    @Test("generated keys have 28 hexadecimal digits and differ")
    func generate() {
        let keys = (0..<50).map { _ in APIKey.generate().text }
        #expect(Set(keys).count == 50)
        #expect(
            keys.allSatisfy { $0.count == 32 && $0.hasPrefix("wam_") && Hex.decode(String($0.dropFirst(4))) != nil })
        #expect(DeviceSecret.generate().count == 64)
    }

    @Test("a pepper changes every hash")
    func pepper() {
        let hasher = CredentialHasher(pepper: SecretBytes(Bytes("pepper-pepper-pepper".utf8)))
        #expect(hasher.hash(apiKey: "wam_x") != CredentialHasher().hash(apiKey: "wam_x"))
        #expect(hasher.hash(deviceSecret: "x") == CredentialHasher().hash(deviceSecret: "x"))
    }

    @Test("the admin secret and the one before it are accepted, nothing else")
    func admin() {
        let verifier = AdminSecretVerifier(
            current: SecretBytes(Bytes("current-secret".utf8)), previous: SecretBytes(Bytes("previous-secret".utf8)))
        #expect(verifier.verify("current-secret"))
        #expect(verifier.verify("previous-secret"))
        for wrong in ["", "current-secre", "current-secret ", "CURRENT-SECRET"] { #expect(!verifier.verify(wrong)) }
        #expect(!AdminSecretVerifier(current: SecretBytes(Bytes())).verify(""))
    }
}
