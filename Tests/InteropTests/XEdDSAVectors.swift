import Cryptography
import Testing

@Suite("XEdDSA and X25519 against the reference's vectors")
struct XEdDSAVectors {
    @Test("every signature, verification, signed prekey and agreement of xeddsa.json")
    func vectors() throws {
        try VectorFile("xeddsa").run { vector in
            switch vector.name {
            case "sign": try sign(vector)
            case "signed prekey": try signedPreKey(vector)
            case "x25519":
                let key = try PrivateKey(raw: vector.hex("private"))
                #expect(try key.publicKey.raw == vector.hex("public"))
                #expect(try key.agree(with: PublicKey(raw: vector.hex("peer_public"))).bytes == vector.hex("shared"))
            case "x25519 low order point":
                let key = try PrivateKey(raw: vector.hex("private"))
                let peer = try PublicKey(raw: vector.hex("peer_public"))
                #expect(throws: CryptographyError.invalidPublicKey) { try key.agree(with: peer) }
            default: throw vector.unknown(vector.name)
            }
        }
    }

    private func sign(_ vector: VectorCase) throws {
        let key = try PrivateKey(raw: vector.hex("private"))
        #expect(try key.publicKey.raw == vector.hex("public"))
        #expect(try key.sign(vector.hex("message"), random: vector.hex("random64")) == vector.hex("signature"))
        let checks = try vector.objects("verify")
        #expect(!checks.isEmpty)
        for check in checks {
            let verified = try PublicKey(raw: check.hex("public"))
                .verify(signature: check.hex("signature"), of: check.hex("message"))
            #expect(try verified == check.bool("valid"), "\(check.path) \(check.name)")
        }
    }

    private func signedPreKey(_ vector: VectorCase) throws {
        let identity = try PrivateKey(raw: vector.hex("identity_private"))
        let preKey = try PrivateKey(raw: vector.hex("prekey_private"))
        #expect(try identity.publicKey.raw == vector.hex("identity_public"))
        #expect(try preKey.publicKey.raw == vector.hex("prekey_public"))
        let signature = try vector.hex("signature")
        #expect(try identity.sign(preKey.publicKey.serialized, random: vector.hex("random64")) == signature)
        #expect(identity.publicKey.verify(signature: signature, of: preKey.publicKey.serialized))
    }
}
