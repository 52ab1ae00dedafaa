import Cryptography
import NIOCore
import Testing

@testable import Transport

@Suite("noise.json")
struct NoiseVectors {
    /// Within the validity of the good certificates (1600000000 to 4102444800) and of our lifetime, as the reference ran.
    private let now: Int64 = 1_785_000_000

    @Test("every handshake of noise.json gives its messages and keys on both sides, every bad one is refused")
    func handshakes() throws {
        try VectorFile("noise").run { vector in
            switch vector.name {
            case "handshake for registration", "handshake for login":
                try checkClient(vector)
                try checkServer(vector)
                try checkFrames(vector)
                try checkStates(vector)
            case let name where name.hasPrefix("reject: "):
                try checkRejection(vector)
            case let name:
                throw vector.unknown(name)
            }
        }
    }

    private func client(_ vector: VectorCase) throws -> NoiseClientHandshake {
        NoiseClientHandshake(
            staticKey: try pair(vector.object("client_static")), ephemeral: try pair(vector.object("client_ephemeral")),
            prologue: try vector.hex("prologue"), trust: NoiseTrust(rootPublicKey: try vector.hex("root_public")))
    }

    private func checkClient(_ vector: VectorCase) throws {
        var handshake = try client(vector)
        let hello = handshake.clientHello()
        #expect(try hello == vector.hex("client_hello"), "\(vector.path)")
        var first = ByteBuffer(bytes: Intro.bytes(routingInfo: nil))
        try FrameEncoder.encode(hello, into: &first)
        #expect(try Array(first.readableBytesView) == vector.hex("first_websocket_message"))
        let finish = try handshake.receive(
            serverHello: vector.hex("server_hello"), payload: vector.hex("client_payload"), now: now)
        #expect(try finish == vector.hex("client_finish"), "\(vector.path)")
        let keys = try handshake.transportKeys()
        #expect(try keys.sending.bytes == vector.hex("key_client_to_server"))
        #expect(try keys.receiving.bytes == vector.hex("key_server_to_client"))
    }

    /// Hash and chaining key after each step of the pattern.
    private func checkStates(_ vector: VectorCase) throws {
        let ephemeral = try pair(vector.object("client_ephemeral"))
        let server = try pair(vector.object("server_ephemeral")).publicKey
        let serverStatic = try pair(vector.object("server_static")).publicKey
        let clientStatic = try pair(vector.object("client_static"))
        var state = NoiseSymmetricState(prologue: try vector.hex("prologue"))
        for step in try vector.objects("states") {
            switch try step.string("after") {
            case "start with prologue": break
            case "mix client ephemeral": state.mixHash(ephemeral.publicKey.raw)
            case "mix server ephemeral and ee":
                state.mixHash(server.raw)
                try state.mixKey(ephemeral.privateKey, server)
            case "server static sent and es mixed":
                _ = try state.encrypt(serverStatic.raw)
                try state.mixKey(ephemeral.privateKey, serverStatic)
            case "certificate sent": _ = try state.encrypt(vector.hex("certificate_chain"))
            case "client static received and se mixed":
                _ = try state.encrypt(clientStatic.publicKey.raw)
                try state.mixKey(clientStatic.privateKey, server)
            case "client payload received": _ = try state.encrypt(vector.hex("client_payload"))
            case let other: throw step.unknown(other)
            }
            #expect(try state.hash == step.hex("hash"), "\(step.path)")
            #expect(try state.chainingKey.bytes == step.hex("chaining_key"), "\(step.path)")
        }
    }

    private func checkServer(_ vector: VectorCase) throws {
        let serverStatic = try pair(vector.object("server_static"))
        var handshake = NoiseServerHandshake(
            staticKey: serverStatic, ephemeral: try pair(vector.object("server_ephemeral")),
            certificateChain: try vector.hex("certificate_chain"), prologue: try vector.hex("prologue"))
        #expect(try handshake.receive(clientHello: vector.hex("client_hello")) == vector.hex("server_hello"))
        let (clientStatic, payload) = try handshake.receive(clientFinish: vector.hex("client_finish"))
        #expect(try clientStatic.raw == vector.object("client_static").hex("public"))
        #expect(try payload == vector.hex("client_payload"))
        let keys = try handshake.transportKeys()
        #expect(try keys.receiving.bytes == vector.hex("key_client_to_server"))
        #expect(try keys.sending.bytes == vector.hex("key_server_to_client"))

        // The root's and intermediate's private keys are given: a chain of our own making is accepted under them.
        let root = try PrivateKey(raw: vector.hex("root_private"))
        #expect(try root.publicKey.raw == vector.hex("root_public"))
        let chain = CertificateChain.issue(
            root: root, intermediate: KeyPair(privateKey: try PrivateKey(raw: vector.hex("intermediate_private"))),
            leaf: serverStatic.publicKey, validity: 1_600_000_000...4_102_444_800)
        try CertificateChain.verify(
            chain, for: serverStatic.publicKey, trust: NoiseTrust(rootPublicKey: root.publicKey.raw), now: now)
    }

    private func checkFrames(_ vector: VectorCase) throws {
        for (direction, key) in [("client_frames", "key_client_to_server"), ("server_frames", "key_server_to_client")] {
            let key = SecretBytes(try vector.hex(key))
            var sealing = try NoiseCipher(key: key)
            var opening = try NoiseCipher(key: key)
            for frame in try vector.objects(direction) {
                #expect(try Int(sealing.counter) == frame.int("counter"))
                let plaintext = try frame.hex("plaintext")
                let ciphertext = try frame.hex("ciphertext")
                var message = ByteBuffer()
                try FrameEncoder.encode(plaintext: plaintext, with: &sealing, into: &message)
                #expect(try Array(message.readableBytesView) == frame.hex("websocket_message"), "\(frame.path)")
                #expect(try opening.open(ciphertext) == plaintext, "\(frame.path)")
                _ = try StanzaCodec.decode(frame: plaintext)
            }
        }
    }

    private func checkRejection(_ vector: VectorCase) throws {
        var handshake = try client(vector)
        _ = handshake.clientHello()
        let (expected, text) = try rejection(vector)
        #expect(try vector.string("error").contains(text), "\(vector.name)")
        let hello = try vector.hex("server_hello")
        #expect(throws: expected, "\(vector.name)") {
            try handshake.receive(serverHello: hello, payload: [], now: now)
        }
        #expect(throws: NoiseError.outOfOrder) { try handshake.transportKeys() }
    }

    /// The error that each case must end in, and what the reference calls it.
    private func rejection(_ vector: VectorCase) throws -> (error: NoiseError, text: String) {
        switch vector.name {
        case "reject: intermediate signature":
            (.certificate(.intermediateSignature), "failed to verify intermediate cert signature")
        // The reference's two signature errors share one wording.
        case "reject: leaf signature":
            (.certificate(.leafSignature), "failed to verify intermediate cert signature")
        case "reject: leaf key is not the server static key":
            (.certificate(.keyMismatch), "cert key doesn't match decrypted static")
        case "reject: intermediate issuer serial is not 0":
            (.certificate(.intermediateIssuer(3)), "unexpected intermediate issuer serial 3 (expected 0)")
        case "reject: leaf issuer serial is not the intermediate's":
            (.certificate(.leafIssuer(99)), "unexpected leaf issuer serial 99 (expected 7)")
        case "reject: intermediate expired":
            (.certificate(.intermediateExpired), "intermediate cert certificate expired")
        case "reject: leaf expired": (.certificate(.leafExpired), "leaf cert cert certificate expired")
        case "reject: leaf not valid yet": (.certificate(.leafExpired), "leaf cert cert certificate not valid yet")
        case "reject: server static ciphertext damaged":
            (.authenticationFailed, "failed to decrypt server static ciphertext")
        case "reject: certificate ciphertext damaged":
            (.authenticationFailed, "failed to decrypt noise certificate ciphertext")
        case "reject: server ephemeral of 31 bytes", "reject: server static missing":
            (.missingPart, "missing parts of handshake response")
        default: throw vector.unknown(vector.name)
        }
    }

    private func pair(_ vector: VectorCase) throws -> KeyPair {
        let pair = KeyPair(privateKey: try PrivateKey(raw: vector.hex("private")))
        #expect(try pair.publicKey.raw == vector.hex("public"))
        return pair
    }
}
