import Cryptography

@testable import Transport

/// The initiator of `Noise_IK_25519_AESGCM_SHA256` with its fallback, as clients do it that remember the server's key
/// (01-transport, section 5.4).
struct ResumingHandshake {
    private let noiseKey: KeyPair
    private let ephemeral = KeyPair.generate()
    private let serverKey: PublicKey
    private let payload: Bytes
    private var symmetric: NoiseSymmetricState?

    init(noiseKey: KeyPair, serverKey: PublicKey, payload: Bytes) {
        self.noiseKey = noiseKey
        self.serverKey = serverKey
        self.payload = payload
    }

    mutating func clientHello() throws -> Bytes {
        var symmetric = NoiseSymmetricState(.ik, prologue: Intro.header)
        symmetric.mixHash(serverKey.raw)
        symmetric.mixHash(ephemeral.publicKey.raw)
        try symmetric.mixKey(ephemeral.privateKey, serverKey)
        let encryptedStatic = try symmetric.encrypt(noiseKey.publicKey.raw)
        try symmetric.mixKey(noiseKey.privateKey, serverKey)
        let encryptedPayload = try symmetric.encrypt(payload)
        self.symmetric = symmetric
        return HandshakeMessage.resumingHello(
            ephemeral: ephemeral.publicKey.raw, static: encryptedStatic, payload: encryptedPayload
        ).serialized
    }

    /// The transport keys, and the clientFinish to send when the server did not resume.
    mutating func receive(serverHello: Bytes) throws -> (keys: NoiseTransportKeys, finish: Bytes?) {
        switch try HandshakeMessage(serverHello) {
        case .resumedHello(let serverEphemeral, let chain):
            guard var symmetric else { throw TestFailure("no hello was sent") }
            let key = try PublicKey(raw: serverEphemeral)
            symmetric.mixHash(serverEphemeral)
            try symmetric.mixKey(ephemeral.privateKey, key)
            try symmetric.mixKey(noiseKey.privateKey, key)
            _ = try symmetric.decrypt(chain)
            return (Self.keys(of: symmetric), nil)
        case .serverHello(let serverEphemeral, let encryptedStatic, let chain):
            let key = try PublicKey(raw: serverEphemeral)
            var symmetric = NoiseSymmetricState(.xxFallback, prologue: Intro.header)
            symmetric.mixHash(ephemeral.publicKey.raw)
            symmetric.mixHash(serverEphemeral)
            try symmetric.mixKey(ephemeral.privateKey, key)
            let serverStatic = try PublicKey(raw: try symmetric.decrypt(encryptedStatic))
            try symmetric.mixKey(ephemeral.privateKey, serverStatic)
            _ = try symmetric.decrypt(chain)
            let own = try symmetric.encrypt(noiseKey.publicKey.raw)
            try symmetric.mixKey(noiseKey.privateKey, key)
            let finish = HandshakeMessage.clientFinish(static: own, payload: try symmetric.encrypt(payload))
            return (Self.keys(of: symmetric), finish.serialized)
        default: throw TestFailure("no server hello")
        }
    }

    private static func keys(of symmetric: NoiseSymmetricState) -> NoiseTransportKeys {
        let keys = symmetric.split()
        return NoiseTransportKeys(sending: keys.clientToServer, receiving: keys.serverToClient)
    }
}
