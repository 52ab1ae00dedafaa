import Cryptography

/// Whom a client trusts to certify the server's static key (01-transport, section 6).
package struct NoiseTrust: Sendable {
    /// WhatsApp's root key.
    package static let whatsApp = NoiseTrust(
        rootPublicKey: Bytes([
            0x14, 0x23, 0x75, 0x57, 0x4D, 0x0A, 0x58, 0x71, 0x66, 0xAA, 0xE7, 0x1E, 0xBE, 0x51, 0x64, 0x37,
            0xC4, 0xA2, 0x8B, 0x73, 0xE3, 0x69, 0x5C, 0x6C, 0xE1, 0xF7, 0xF9, 0x54, 0x5D, 0xA8, 0xEE, 0x6B,
        ]))

    /// The root's X25519 public key, 32 bytes; its signatures are XEdDSA.
    package let rootPublicKey: Bytes
    /// The root's serial, which intermediates name as their issuer.
    package let rootSerial: UInt32

    package init(rootPublicKey: Bytes, rootSerial: UInt32 = 0) {
        self.rootPublicKey = rootPublicKey
        self.rootSerial = rootSerial
    }
}

/// The initiator of `Noise_XX_25519_AESGCM_SHA256` (01-transport, section 5.2): three messages, then transport keys.
///
/// Pure: takes and returns message bytes. Any error is final; the ClientPayload leaves only after every check of the
/// server's certificate.
package struct NoiseClientHandshake: Sendable {
    private enum State {
        case idle
        case awaitingServerHello(NoiseSymmetricState)
        case finished(NoiseTransportKeys)
        case failed
    }

    private let staticKey: KeyPair
    private let ephemeral: KeyPair
    private let prologue: Bytes
    private let trust: NoiseTrust
    private var state = State.idle

    /// - Parameters:
    ///   - staticKey: the device's Noise key pair, stored with it.
    ///   - ephemeral: a new pair for this connection.
    ///   - prologue: the intro header that was sent, without edge-routing preamble.
    package init(
        staticKey: KeyPair, ephemeral: KeyPair, prologue: Bytes = Intro.header, trust: NoiseTrust = .whatsApp
    ) {
        self.staticKey = staticKey
        self.ephemeral = ephemeral
        self.prologue = prologue
        self.trust = trust
    }

    /// The first message. Call once, first.
    package mutating func clientHello() -> Bytes {
        var symmetric = NoiseSymmetricState(prologue: prologue)
        symmetric.mixHash(ephemeral.publicKey.raw)
        state = .awaitingServerHello(symmetric)
        return HandshakeMessage.clientHello(ephemeral: ephemeral.publicKey.raw).serialized
    }

    /// The parts of a full server hello. One without the server's static key answers a resumption, which we never ask for.
    private static func parts(
        of message: HandshakeMessage
    ) throws(NoiseError) -> (ephemeral: Bytes, key: Bytes, chain: Bytes) {
        switch message {
        case .serverHello(let ephemeral, let key, let chain): return (ephemeral, key, chain)
        case .resumedHello: throw .missingPart
        default: throw .malformedMessage
        }
    }

    /// Takes the server's answer, verifies its certificate chain, and gives the last message, which carries `payload`
    /// encrypted.
    ///
    /// - Parameters:
    ///   - payload: the serialized ClientPayload.
    ///   - now: Unix time in seconds, for the validity of the certificates.
    package mutating func receive(serverHello: Bytes, payload: Bytes, now: Int64) throws(NoiseError) -> Bytes {
        guard case .awaitingServerHello(var symmetric) = state else { throw .outOfOrder }
        state = .failed
        let (ephemeralBytes, encryptedKey, encryptedChain) = try Self.parts(of: HandshakeMessage(serverHello))
        let serverEphemeral = try PublicKey(noise: ephemeralBytes)
        symmetric.mixHash(ephemeralBytes)
        try symmetric.mixKey(ephemeral.privateKey, serverEphemeral)
        let serverStatic = try PublicKey(noise: try symmetric.decrypt(encryptedKey))
        try symmetric.mixKey(ephemeral.privateKey, serverStatic)
        let chain = try symmetric.decrypt(encryptedChain)
        do throws(CertificateError) {
            try CertificateChain.verify(chain, for: serverStatic, trust: trust, now: now)
        } catch {
            throw .certificate(error)
        }

        let encryptedStatic = try symmetric.encrypt(staticKey.publicKey.raw)
        try symmetric.mixKey(staticKey.privateKey, serverEphemeral)
        let encryptedPayload = try symmetric.encrypt(payload)
        let keys = symmetric.split()
        state = .finished(NoiseTransportKeys(sending: keys.clientToServer, receiving: keys.serverToClient))
        return HandshakeMessage.clientFinish(static: encryptedStatic, payload: encryptedPayload).serialized
    }

    /// The keys of the transport phase. Throws ``NoiseError/outOfOrder`` before the handshake is finished.
    package func transportKeys() throws(NoiseError) -> NoiseTransportKeys {
        guard case .finished(let keys) = state else { throw .outOfOrder }
        return keys
    }
}

/// The server's side of the handshake: the responder of `Noise_XX_25519_AESGCM_SHA256`, and of the resumption `IK` that
/// WhatsApp Web and clients made after it try when they remember the server's key (01-transport, sections 5.2 and 5.4).
package struct NoiseServerHandshake: Sendable {
    private enum State {
        case idle
        case awaitingClientFinish(NoiseSymmetricState)
        case finished(NoiseTransportKeys)
        case failed
    }

    private let staticKey: KeyPair
    private let ephemeral: KeyPair
    private let certificateChain: Bytes
    private let prologue: Bytes
    private let resumes: Bool
    private var state = State.idle
    /// Who resumed, and the decrypted ClientPayload, when ``receive(clientHello:)`` accepted a resumption: the handshake is
    /// finished then, and no clientFinish comes.
    package private(set) var resumption: (clientStatic: PublicKey, payload: Bytes)?

    /// - Parameters:
    ///   - staticKey: the server's certified key pair.
    ///   - ephemeral: a new pair for this connection.
    ///   - certificateChain: serialized chain for `staticKey`, see ``CertificateChain/issue(root:intermediate:leaf:validity:)``.
    ///   - prologue: the intro header that was received.
    ///   - resumes: whether resumptions are accepted; a client that tries one in vain goes on as XX.
    package init(
        staticKey: KeyPair, ephemeral: KeyPair, certificateChain: Bytes, prologue: Bytes = Intro.header,
        resumes: Bool = true
    ) {
        self.staticKey = staticKey
        self.ephemeral = ephemeral
        self.certificateChain = certificateChain
        self.prologue = prologue
        self.resumes = resumes
    }

    /// Takes the first message and gives the answer. See ``resumption`` for what else may have come with it.
    package mutating func receive(clientHello: Bytes) throws(NoiseError) -> Bytes {
        guard case .idle = state else { throw .outOfOrder }
        state = .failed
        switch try HandshakeMessage(clientHello) {
        case .clientHello(let ephemeral): return try answer(.xx, to: ephemeral)
        case .resumingHello(let ephemeral, let key, let payload):
            // Made for another key of ours, it cannot be read: no failure, the client falls back.
            if resumes, let answer = try? resume(ephemeral, encryptedStatic: key, encryptedPayload: payload) {
                return answer
            }
            return try answer(.xxFallback, to: ephemeral)
        case .serverHello, .resumedHello, .clientFinish: throw .malformedMessage
        }
    }

    private mutating func answer(_ pattern: NoisePattern, to ephemeralBytes: Bytes) throws(NoiseError) -> Bytes {
        let clientEphemeral = try PublicKey(noise: ephemeralBytes)
        var symmetric = NoiseSymmetricState(pattern, prologue: prologue)
        symmetric.mixHash(ephemeralBytes)
        symmetric.mixHash(ephemeral.publicKey.raw)
        try symmetric.mixKey(ephemeral.privateKey, clientEphemeral)
        let encryptedStatic = try symmetric.encrypt(staticKey.publicKey.raw)
        try symmetric.mixKey(staticKey.privateKey, clientEphemeral)
        let encryptedChain = try symmetric.encrypt(certificateChain)
        state = .awaitingClientFinish(symmetric)
        return HandshakeMessage.serverHello(
            ephemeral: ephemeral.publicKey.raw, static: encryptedStatic, payload: encryptedChain
        ).serialized
    }

    private mutating func resume(
        _ ephemeralBytes: Bytes, encryptedStatic: Bytes, encryptedPayload: Bytes
    ) throws(NoiseError) -> Bytes {
        let clientEphemeral = try PublicKey(noise: ephemeralBytes)
        var symmetric = NoiseSymmetricState(.ik, prologue: prologue)
        symmetric.mixHash(staticKey.publicKey.raw)
        symmetric.mixHash(ephemeralBytes)
        try symmetric.mixKey(staticKey.privateKey, clientEphemeral)
        let clientStatic = try PublicKey(noise: try symmetric.decrypt(encryptedStatic))
        try symmetric.mixKey(staticKey.privateKey, clientStatic)
        let payload = try symmetric.decrypt(encryptedPayload)

        symmetric.mixHash(ephemeral.publicKey.raw)
        try symmetric.mixKey(ephemeral.privateKey, clientEphemeral)
        try symmetric.mixKey(ephemeral.privateKey, clientStatic)
        let encryptedChain = try symmetric.encrypt(certificateChain)
        finish(symmetric)
        resumption = (clientStatic, payload)
        return HandshakeMessage.resumedHello(ephemeral: ephemeral.publicKey.raw, payload: encryptedChain).serialized
    }

    /// Takes the last message and gives the client's static key and its decrypted ClientPayload.
    package mutating func receive(
        clientFinish: Bytes
    ) throws(NoiseError) -> (clientStatic: PublicKey, payload: Bytes) {
        guard case .awaitingClientFinish(var symmetric) = state else { throw .outOfOrder }
        state = .failed
        guard case .clientFinish(let encryptedStatic, let encryptedPayload) = try HandshakeMessage(clientFinish) else {
            throw .malformedMessage
        }
        let clientStatic = try PublicKey(noise: try symmetric.decrypt(encryptedStatic))
        try symmetric.mixKey(ephemeral.privateKey, clientStatic)
        let payload = try symmetric.decrypt(encryptedPayload)
        finish(symmetric)
        return (clientStatic, payload)
    }

    private mutating func finish(_ symmetric: NoiseSymmetricState) {
        let keys = symmetric.split()
        state = .finished(NoiseTransportKeys(sending: keys.serverToClient, receiving: keys.clientToServer))
    }

    /// The keys of the transport phase. Throws ``NoiseError/outOfOrder`` before the handshake is finished.
    package func transportKeys() throws(NoiseError) -> NoiseTransportKeys {
        guard case .finished(let keys) = state else { throw .outOfOrder }
        return keys
    }
}

extension PublicKey {
    /// A key from a handshake message.
    fileprivate init(noise bytes: Bytes) throws(NoiseError) {
        do { try self.init(raw: bytes) } catch { throw .missingPart }
    }
}
