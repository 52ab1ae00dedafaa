import Cryptography
import NIOCore
import Testing
import Transport

@Suite("Noise handshake")
struct NoiseTests {
    /// Both sides with the keys of 01-transport, section 8, and a chain of our own.
    private struct World {
        let root: PrivateKey
        let intermediate: KeyPair
        let serverStatic: KeyPair
        let now: Int64 = 1_700_000_000

        init() throws {
            root = try PrivateKey(raw: NoiseTests.key(5))
            intermediate = KeyPair(privateKey: try PrivateKey(raw: NoiseTests.key(6)))
            serverStatic = KeyPair(privateKey: try PrivateKey(raw: NoiseTests.key(3)))
        }

        func chain(validity: ClosedRange<UInt64> = 1_600_000_000...1_800_000_000) -> Bytes {
            CertificateChain.issue(
                root: root, intermediate: intermediate, leaf: serverStatic.publicKey, validity: validity)
        }

        func client() throws -> NoiseClientHandshake {
            NoiseClientHandshake(
                staticKey: KeyPair(privateKey: try PrivateKey(raw: NoiseTests.key(4))),
                ephemeral: KeyPair(privateKey: try PrivateKey(raw: NoiseTests.key(1))),
                trust: NoiseTrust(rootPublicKey: root.publicKey.raw))
        }

        func server(chain: Bytes) throws -> NoiseServerHandshake {
            NoiseServerHandshake(
                staticKey: serverStatic, ephemeral: KeyPair(privateKey: try PrivateKey(raw: NoiseTests.key(2))),
                certificateChain: chain)
        }
    }

    /// `00` ‖ 30 × `number` ‖ `40 + number`.
    private static func key(_ number: UInt8) -> Bytes {
        [0] + Bytes(repeating: number, count: 30) + [0x40 + number]
    }

    @Test("the responder gives the known answers of the specification, and the transport cipher too")
    func knownAnswers() throws {
        let world = try World()
        var server = NoiseServerHandshake(
            staticKey: world.serverStatic, ephemeral: KeyPair(privateKey: try PrivateKey(raw: NoiseTests.key(2))),
            certificateChain: Bytes("cert-chain-bytes".utf8))
        let clientEphemeral = try PrivateKey(raw: NoiseTests.key(1)).publicKey.raw
        let hello = try server.receive(clientHello: HandshakeMessage.clientHello(ephemeral: clientEphemeral).serialized)
        guard case .serverHello(let ephemeral, let key, let payload) = try HandshakeMessage(hello) else {
            Issue.record("no server hello")
            return
        }
        #expect(Hex.encode(ephemeral) == "ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59")
        #expect(
            Hex.encode(key)
                == "fd776e5ac83278eaa8282906d9c8c8f268eac01a9ef277646e51a8e2afdb1370b487f827f6f56d540f7e005d38b1c082")
        #expect(Hex.encode(payload) == "603982b1eb47d1d3d365c69e953c7ae5657cd640adbba7c7734230c448e0559c")
        let finish = HandshakeMessage.clientFinish(
            static: try #require(
                Hex.decode(
                    "98b08948a4c0638806d85dee2d9aff0ccdee594e210d474dae3dfda2ae4a71f88834b1a24300e897ed7040223489823e")),
            payload: try #require(Hex.decode("5e2662a42c69fa5b4cdffa1ebb1baa7db3d88c20bcbb63da6e7f5aa8429bf8a3")))
        let (clientStatic, clientPayload) = try server.receive(clientFinish: finish.serialized)
        #expect(Hex.encode(clientStatic.raw) == "ac01b2209e86354fb853237b5de0f4fab13c7fcbf433a61c019369617fecf10b")
        #expect(clientPayload == Bytes("client-payload!!".utf8))

        let keys = try server.transportKeys()
        #expect(Hex.encode(keys.receiving.bytes) == "d59d660312965c55bf62a9f4f0b8af37e99990cdeb94c9656d8cad71ac29a713")
        #expect(Hex.encode(keys.sending.bytes) == "ebfac90df0075830db36b1b3e120544e9100db99dc73b6b9b8e2804e456497b6")
        var cipher = try NoiseCipher(key: keys.receiving)
        let ping = try StanzaCodec.encodeFrame(Stanza("ping"))
        #expect(try Hex.encode(cipher.seal(ping)) == "ed4cee34d7dc2d85ef087c4d1bc443d40b88f998")
        #expect(try Hex.encode(cipher.seal(ping)) == "9a366208a95e26f1e54e339e9347a7ff24dd238b")
    }

    @Test("client and server agree on keys and identities")
    func agreement() throws {
        let world = try World()
        var client = try world.client()
        var server = try world.server(chain: world.chain())
        let finish = try client.receive(
            serverHello: server.receive(clientHello: client.clientHello()), payload: [1, 2, 3], now: world.now)
        let (clientStatic, payload) = try server.receive(clientFinish: finish)
        #expect(payload == [1, 2, 3])
        #expect(try clientStatic == PrivateKey(raw: NoiseTests.key(4)).publicKey)
        var near = try NoiseTransport(client.transportKeys())
        var far = try NoiseTransport(server.transportKeys())
        #expect(try far.receiving.open(near.sending.seal([9])) == [9])
        #expect(try near.receiving.open(far.sending.seal([8])) == [8])
    }

    @Test("a chain is refused before and after its validity, and under another root")
    func validity() throws {
        let world = try World()
        let chain = world.chain()
        let key = world.serverStatic.publicKey
        let trust = NoiseTrust(rootPublicKey: world.root.publicKey.raw)
        try CertificateChain.verify(chain, for: key, trust: trust, now: 1_600_000_000)
        try CertificateChain.verify(chain, for: key, trust: trust, now: 1_800_000_000)
        for now in [1_599_999_999, 1_800_000_001, -1] as [Int64] {
            #expect(throws: CertificateError.intermediateExpired) {
                try CertificateChain.verify(chain, for: key, trust: trust, now: now)
            }
        }
        #expect(throws: CertificateError.intermediateSignature) {
            try CertificateChain.verify(chain, for: key, trust: .whatsApp, now: world.now)
        }
        #expect(throws: CertificateError.keyMismatch) {
            try CertificateChain.verify(chain, for: world.intermediate.publicKey, trust: trust, now: world.now)
        }
    }

    @Test("no changed byte of a certificate chain is accepted")
    func damagedChains() throws {
        let world = try World()
        let chain = world.chain()
        let trust = NoiseTrust(rootPublicKey: world.root.publicKey.raw)
        for position in chain.indices {
            var damaged = chain
            damaged[position] ^= 0x01
            #expect(throws: CertificateError.self, "byte \(position)") {
                try CertificateChain.verify(damaged, for: world.serverStatic.publicKey, trust: trust, now: world.now)
            }
            #expect(throws: CertificateError.self) {
                try CertificateChain.verify(
                    Bytes(chain.prefix(position)), for: world.serverStatic.publicKey, trust: trust, now: world.now)
            }
        }
    }

    @Test("steps out of order and damaged messages end the handshake for good")
    func order() throws {
        let world = try World()
        var client = try world.client()
        #expect(throws: NoiseError.outOfOrder) { try client.receive(serverHello: [], payload: [], now: world.now) }
        var server = try world.server(chain: world.chain())
        #expect(throws: NoiseError.outOfOrder) { try server.receive(clientFinish: []) }
        let hello = try server.receive(clientHello: client.clientHello())
        #expect(throws: NoiseError.outOfOrder) { try server.receive(clientHello: []) }
        var damaged = hello
        damaged[damaged.count - 1] ^= 1
        #expect(throws: NoiseError.authenticationFailed) {
            try client.receive(serverHello: damaged, payload: [], now: world.now)
        }
        #expect(throws: NoiseError.outOfOrder) { try client.receive(serverHello: hello, payload: [], now: world.now) }
        #expect(throws: NoiseError.malformedMessage) { try HandshakeMessage([0xFF]) }
        #expect(throws: NoiseError.malformedMessage) { try HandshakeMessage([]) }
        #expect(throws: NoiseError.missingPart) { try HandshakeMessage([0x12, 0x00]) }
    }

    @Test("an all-zero agreement is refused")
    func lowOrderKey() throws {
        var server = try World().server(chain: [])
        let hello = HandshakeMessage.clientHello(ephemeral: Bytes(repeating: 0, count: 32)).serialized
        #expect(throws: NoiseError.invalidPublicKey) { try server.receive(clientHello: hello) }
    }

    @Test("a replayed, reordered or shortened frame fails, and the last counter is never used")
    func transportCipher() throws {
        let key = SecretBytes(Bytes(repeating: 7, count: 32))
        var sealing = try NoiseCipher(key: key)
        let first = try sealing.seal([1])
        let second = try sealing.seal([2])
        var opening = try NoiseCipher(key: key)
        #expect(throws: NoiseError.authenticationFailed) { try opening.open(second) }
        #expect(try opening.open(first) == [1])
        #expect(throws: NoiseError.authenticationFailed) { try opening.open(first) }
        #expect(throws: NoiseError.authenticationFailed) { try opening.open(Bytes(second.dropLast())) }
        #expect(throws: NoiseError.authenticationFailed) { try opening.open([1, 2, 3]) }
        #expect(try opening.open(second) == [2])

        var last = try NoiseCipher(key: key, counter: UInt32.max - 1)
        _ = try last.seal([1])
        #expect(throws: NoiseError.counterExhausted) { try last.seal([1]) }
        #expect(throws: NoiseError.missingPart) { try NoiseCipher(key: SecretBytes([1])) }
    }

    @Test("frames are sealed and opened in place within a larger buffer")
    func inPlace() throws {
        let key = SecretBytes(Bytes(repeating: 7, count: 32))
        var sealing = try NoiseCipher(key: key)
        var opening = try NoiseCipher(key: key)
        var buffer = ByteBuffer(bytes: [0xAA, 0xBB])
        buffer.moveReaderIndex(forwardBy: 1)
        try FrameEncoder.encode(Stanza("ping"), with: &sealing, into: &buffer)
        try FrameEncoder.encode(Stanza("iq", ["id": "1"]), with: &sealing, into: &buffer)
        #expect(buffer.readInteger(as: UInt8.self) == 0xBB)
        var decoder = FrameDecoder()
        var stanzas: [Stanza] = []
        try decoder.decode(buffer) { frame in
            var frame = frame
            try opening.open(&frame)
            stanzas.append(try StanzaCodec.decode(frame: frame))
        }
        #expect(stanzas == [Stanza("ping"), Stanza("iq", ["id": "1"])])
        #expect(throws: StanzaError.emptyElement) { try FrameEncoder.encode(Stanza(""), with: &sealing, into: &buffer) }
        #expect(sealing.counter == 2)
    }
}
