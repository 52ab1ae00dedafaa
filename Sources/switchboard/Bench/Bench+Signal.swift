import Cryptography
import Signal

extension Benchmark {
    /// Sessions and sender keys, each with the store's part: an image whenever a ciphertext waits for one.
    static let signal: [Benchmark] = [
        Benchmark("signal encrypt, 100 B, in order") {
            let (alice, _) = try BenchParty.acquainted()
            let text = SystemRandom().bytes(100)
            return { count in { for _ in 0..<count { keep(try alice.send(text)) } } }
        },
        Benchmark("signal decrypt, 100 B, in order") {
            let (alice, bob) = try BenchParty.acquainted()
            let text = SystemRandom().bytes(100)
            return { count in
                let messages = try (0..<count).map { _ in try alice.send(text) }
                return { for message in messages { keep(try bob.receive(message)) } }
            }
        },
        Benchmark("signal ping-pong, a ratchet step with each message") {
            let (alice, bob) = try BenchParty.acquainted()
            let text = SystemRandom().bytes(100)
            return { count in
                {
                    for turn in 0..<count {
                        let (sender, receiver) = turn % 2 == 0 ? (alice, bob) : (bob, alice)
                        keep(try receiver.receive(sender.send(text)))
                    }
                    // An even number of messages leaves the next run to start as this one did.
                    if count % 2 == 1 { keep(try alice.receive(bob.send(text))) }
                }
            }
        },
        .repeating("signal x3dh initiator") {
            let (alice, bob) = (BenchParty(), BenchParty())
            let bundle = bob.bundle
            return {
                alice.record = SessionRecord()
                try alice.start(bundle)
            }
        },
        .repeating("signal x3dh responder, first message included") {
            let (alice, bob) = (BenchParty(), BenchParty())
            try alice.start(bob.bundle)
            let first = try alice.send(SystemRandom().bytes(100))
            return {
                bob.record = SessionRecord()
                keep(try bob.receive(first))
            }
        },
        .repeating("signal jump of 2000") {
            let (alice, bob) = try BenchParty.acquainted()
            for _ in 0..<2_000 { keep(try alice.send([0])) }
            let late = try alice.send([0])
            let before = bob.record
            return {
                bob.record = before
                keep(try bob.receive(late))
            }
        },
        .repeating("signal decrypt on the oldest of 10 states") {
            let (alice, bob) = try BenchParty.acquainted()
            let late = try alice.send([0])
            for _ in 0..<9 { try bob.start(BenchParty().bundle) }
            let before = bob.record
            return {
                bob.record = before
                keep(try bob.receive(late))
            }
        },
        .repeating("signal session image, encode and decode") {
            let (alice, _) = try BenchParty.acquainted()
            return {
                let image = alice.record.imageForStorage()
                keep(try SessionRecord(current: image.current, archived: []))
            }
        },
        Benchmark("sender key encrypt, 100 B") {
            let group = BenchGroup()
            let text = SystemRandom().bytes(100)
            return { count in { for _ in 0..<count { keep(try group.send(text)) } } }
        },
        .repeating("sender key decrypt, 100 B, key kept") {
            let group = BenchGroup()
            let message = try group.send(SystemRandom().bytes(100))
            var member = group.member
            keep(try GroupCipher.decrypt(SenderKeyMessage(parsing: try group.send([0])), record: &member))
            let before = member
            return {
                var member = before
                keep(try GroupCipher.decrypt(SenderKeyMessage(parsing: message), record: &member))
            }
        },
        .repeating("sender key decrypt, 100 B, record just loaded") {
            let group = BenchGroup()
            let message = try group.send(SystemRandom().bytes(100))
            let row = group.member.serialized()
            return {
                var member = try SenderKeyRecord(parsing: row)
                keep(try GroupCipher.decrypt(SenderKeyMessage(parsing: message), record: &member))
            }
        },
        distribution(to: 16), distribution(to: 256), distribution(to: 1024),
        image(kilobytes: 2) { parties in
            // Archived sessions: what a peer that was installed anew a few times leaves.
            for _ in 0..<4 { try parties.alice.start(BenchParty().bundle) }
        },
        image(kilobytes: 80) { parties in
            // The keys of skipped messages.
            for _ in 0..<1_500 { keep(try parties.bob.send([0])) }
            keep(try parties.alice.receive(parties.bob.send([0])))
        },
    ]

    private static func distribution(to count: Int) -> Benchmark {
        Benchmark("sender key distribution to \(count) devices with sessions") {
            let group = BenchGroup()
            let text = GroupCipher.createDistribution(record: &group.own, random: SystemRandom()).serialized()
            let devices = try (0..<count).map { _ in try BenchParty.acquainted().0 }
            return { count in { for _ in 0..<count { for device in devices { keep(try device.send(text)) } } } }
        }
    }

    /// A record of about so many bytes, made by `grow`, to its rows and back.
    private static func image(
        kilobytes: Int, _ grow: @escaping @Sendable ((alice: BenchParty, bob: BenchParty)) throws -> Void
    ) -> Benchmark {
        .repeating("signal record of about \(kilobytes) KB, encode and decode") {
            let (alice, bob) = try BenchParty.acquainted()
            try grow((alice, bob))
            return { keep(try SessionRecord(parsing: alice.record.serialized())) }
        }
    }
}

/// One device of a benchmark with its one session; its store answers at once.
private final class BenchParty {
    let identity = KeyPair.generate()
    let signedPreKey: SignedPreKey
    let oneTimePreKey = OneTimePreKey(id: 7, keyPair: .generate())
    var record = SessionRecord()

    init() { signedPreKey = .generate(id: 1, identity: identity, random: SystemRandom()) }

    var bundle: PreKeyBundle {
        PreKeyBundle(
            registrationID: 1, deviceID: 0, identityKey: identity.publicKey, signedPreKeyID: signedPreKey.id,
            signedPreKey: signedPreKey.keyPair.publicKey, signedPreKeySignature: signedPreKey.signature,
            oneTimePreKeyID: oneTimePreKey.id, oneTimePreKey: oneTimePreKey.keyPair.publicKey)
    }

    /// Two parties that have exchanged a message in each direction.
    static func acquainted() throws -> (BenchParty, BenchParty) {
        let (alice, bob) = (BenchParty(), BenchParty())
        try alice.start(bob.bundle)
        keep(try bob.receive(alice.send([1])))
        keep(try alice.receive(bob.send([2])))
        return (alice, bob)
    }

    func start(_ bundle: PreKeyBundle) throws {
        try SessionBuilder.process(
            bundle: bundle, record: &record, identity: identity, registrationID: 1, random: SystemRandom())
    }

    func send(_ text: Bytes) throws -> SessionCiphertext {
        let ciphertext = try SessionCipher.encrypt(text, record: &record)
        if ciphertext.cover != .durable { record.committed(record.imageForStorage().receipt) }
        return ciphertext
    }

    func receive(_ ciphertext: SessionCiphertext) throws -> Bytes {
        switch ciphertext.type {
        case .whisper:
            return try SessionCipher.decrypt(
                SignalMessage(parsing: ciphertext.bytes), record: &record, random: SystemRandom()
            ).plaintext
        case .preKey:
            return try SessionCipher.decrypt(
                PreKeySignalMessage(parsing: ciphertext.bytes), record: &record, identity: identity, registrationID: 1,
                signedPreKey: signedPreKey.keyPair, oneTimePreKey: oneTimePreKey.keyPair, random: SystemRandom()
            ).plaintext
        }
    }
}

/// A group's sender and one member.
private final class BenchGroup {
    var own = SenderKeyRecord()
    var member = SenderKeyRecord()

    init() {
        let distribution = GroupCipher.createDistribution(record: &own, random: SystemRandom())
        _ = try? GroupCipher.process(distribution, record: &member)
    }

    func send(_ text: Bytes) throws -> Bytes {
        let ciphertext = try GroupCipher.encrypt(text, record: &own, random: SystemRandom())
        if ciphertext.cover != .durable { own.committed(own.imageForStorage().receipt) }
        return ciphertext.bytes
    }
}
