import Cryptography
import Testing

@testable import Signal

@Suite("Reserved sending chains (16-performance-durability, section 1)")
struct ReservationTests {
    @Test("blocks are 4, 16 and then 64, and only the positions of a durable image are free to send")
    func blocks() throws {
        var (alice, _) = try Party.acquainted()
        // Alice's chain was born when she read Bob's answer: 4 positions reserved, none durable.
        #expect(alice.records["bob"]?.durableBound == nil)
        var waits: [UInt32] = []
        for counter in 0..<160 {
            let ciphertext = try alice.send([1], to: "bob")
            #expect(ciphertext.counter == counter)
            switch ciphertext.cover {
            case .durable: break
            case .submitted: Issue.record("nothing was submitted without being committed")
            case .needsImage:
                waits.append(ciphertext.counter)
                let receipt = alice.image(of: "bob").receipt
                #expect(alice.records["bob"]?.durableBound != UInt32(counter) + 1)
                alice.records["bob"]?.committed(receipt)
                #expect(try #require(alice.records["bob"]?.durableBound) > ciphertext.counter)
            }
        }
        #expect(waits == [0, 4, 20, 84, 148])
    }

    @Test("a send below a submitted bound waits for that image and needs no other")
    func submitted() throws {
        var (alice, _) = try Party.acquainted()
        let first = try alice.send([1], to: "bob")
        #expect(first.cover == .needsImage)
        let receipt = alice.image(of: "bob").receipt
        #expect(try alice.send([2], to: "bob").cover == .submitted)
        alice.records["bob"]?.committed(receipt)
        #expect(try alice.send([3], to: "bob").cover == .durable)
    }

    @Test("an early extension keeps steady traffic from waiting")
    func earlyExtension() throws {
        var (alice, _) = try Party.acquainted()
        var waits = 0
        for _ in 0..<500 {
            if try alice.send([1], to: "bob").cover != .durable { waits += 1 }
            if alice.records["bob"]?.needsExtension == true { alice.records["bob"]?.extend() }
            let receipt = alice.image(of: "bob").receipt
            alice.records["bob"]?.committed(receipt)
        }
        #expect(waits == 1)
    }

    @Test("a loaded row goes on at the end of its block and may not send before an extension is durable")
    func crash() throws {
        var (alice, bob) = try Party.acquainted()
        let lost = try alice.send([1], to: "bob")
        let image = alice.image(of: "bob")
        alice.records["bob"]?.committed(image.receipt)
        _ = try alice.send([2], to: "bob")
        var restarted = alice
        restarted.records["bob"] = try SessionRecord(current: image.current, archived: [])
        #expect(restarted.records["bob"]?.durableBound == nil)
        let next = try restarted.send([3], to: "bob")
        #expect(next.counter == 4)
        #expect(next.cover == .needsImage)
        #expect(try bob.receive(next, from: "alice").plaintext == [3])
        #expect(try bob.receive(lost, from: "alice").plaintext == [1])
        let stored = try SessionState.decode(image.current[...])
        #expect(stored?.sender.chain.live.index == 4)
    }

    @Test("a clean image burns nothing, and gives up the lease when it is taken, not when it is durable")
    func cleanWrite() throws {
        var (alice, _) = try Party.acquainted()
        _ = try alice.send([1], to: "bob")
        let earlier = alice.image(of: "bob").receipt
        alice.records["bob"]?.committed(earlier)
        let clean = alice.cleanImage(of: "bob")
        var reloaded = alice
        reloaded.records["bob"] = try SessionRecord(current: clean.current, archived: [])
        #expect(try reloaded.send([2], to: "bob").counter == 1)

        // The same process goes on after all: nothing is covered before a new image, whichever news arrives.
        alice.records["bob"]?.committed(earlier)
        let next = try alice.send([2], to: "bob")
        #expect(next.counter == 1)
        #expect(next.cover == .needsImage)
        alice.records["bob"]?.committed(clean.receipt)
        #expect(alice.records["bob"]?.durableBound == 1)
        let image = alice.image(of: "bob")
        alice.records["bob"]?.committed(image.receipt)
        #expect(try alice.send([3], to: "bob").cover == .durable)
    }

    @Test("news about a chain that was replaced meanwhile covers nothing")
    func replacedChain() throws {
        var (alice, bob) = try Party.acquainted()
        _ = try alice.send([1], to: "bob")
        let old = alice.image(of: "bob").receipt
        try bob.receive(alice.send([2], to: "bob"), from: "alice")
        try alice.receive(bob.send([3], to: "alice"), from: "bob")
        alice.records["bob"]?.committed(old)
        #expect(alice.records["bob"]?.durableBound == nil)
        #expect(try alice.send([4], to: "bob").cover == .needsImage)
    }

    @Test("an archived session that comes back goes on past its block and waits for an image")
    func promoted() throws {
        var (alice, bob) = try Party.acquainted()
        let late = try bob.send([1], to: "alice")
        _ = try alice.send([2], to: "bob")
        let receipt = alice.image(of: "bob").receipt
        alice.records["bob"]?.committed(receipt)
        try alice.start(with: "bob", Party("other").bundle())
        // Bob's message came on a chain that Alice knows, so her sending chain is not replaced.
        _ = try alice.receive(late, from: "bob")
        let next = try alice.send([3], to: "bob")
        #expect(next.counter == 4)
        #expect(next.cover == .needsImage)
        #expect(try bob.receive(next, from: "alice").plaintext == [3])
        #expect(try SignalMessage(parsing: next.bytes).previousCounter == 0)
    }

    @Test("after storage may have lost commits, every chain waits again")
    func failOver() throws {
        var (alice, _) = try Party.acquainted()
        _ = try alice.send([1], to: "bob")
        let receipt = alice.image(of: "bob").receipt
        alice.records["bob"]?.forgetDurability()
        alice.records["bob"]?.committed(receipt)
        #expect(alice.records["bob"]?.durableBound == nil)
        alice.records["bob"]?.extend(by: 128)
        let next = try alice.send([2], to: "bob")
        #expect(next.cover == .needsImage)
        let stored = try SessionRecord(current: alice.image(of: "bob").current, archived: [])
        #expect(stored.current?.sender.chain.live.index == 132)
    }

    @Test("images repeat the archive's changes until one of them is durable")
    func archiveChanges() throws {
        var alice = Party("alice")
        try alice.start(with: "bob", Party("one").bundle())
        let first = alice.image(of: "bob")
        #expect(first.archived.isEmpty && first.dropped.isEmpty)
        let name = try #require(alice.records["bob"]?.baseKey?.raw)
        try alice.start(with: "bob", Party("two").bundle())
        let second = alice.image(of: "bob")
        #expect(second.archived.map(\.baseKey) == [name])
        try alice.start(with: "bob", Party("three").bundle())
        let third = alice.image(of: "bob")
        #expect(third.archived.count == 2)
        alice.records["bob"]?.committed(second.receipt)
        let fourth = alice.image(of: "bob")
        #expect(fourth.archived.count == 1)
        #expect(fourth.archived.first?.baseKey != name)
        alice.records["bob"]?.committed(fourth.receipt)
        let fifth = alice.image(of: "bob")
        #expect(fifth.archived.isEmpty && fifth.dropped.isEmpty)
        for number in 0..<39 { try alice.start(with: "bob", Party("more \(number)").bundle()) }
        let trimmed = alice.image(of: "bob")
        #expect(trimmed.dropped == [name])
        #expect(trimmed.archived.count == 39)
        alice.records["bob"]?.archiveCurrent()
        #expect(
            try SessionRecord(current: alice.image(of: "bob").current, archived: []).isEmpty)
    }

    @Test("a group's key is reserved in the same way, and its distribution shows the live position")
    func senderKey() throws {
        let random = SeededRandom(seed: [1], label: "reservation")
        var own = SenderKeyRecord()
        _ = GroupCipher.createDistribution(record: &own, random: random)
        var waits: [UInt32] = []
        for _ in 0..<100 {
            let ciphertext = try GroupCipher.encrypt([1], record: &own, random: random)
            guard ciphertext.cover != .durable else { continue }
            waits.append(ciphertext.iteration)
            own.committed(own.imageForStorage().receipt)
        }
        #expect(waits == [0, 4, 20, 84])
        #expect(GroupCipher.createDistribution(record: &own, random: random).iteration == 100)
        let parked = try SenderKeyRecord(parsing: own.imageForStorage().record)
        #expect(parked.states.first?.distribution?.iteration == 148)
        #expect(parked.durableBound == nil)
        var clean = try SenderKeyRecord(parsing: own.cleanImage().record)
        #expect(clean.states.first?.distribution?.iteration == 100)
        #expect(try GroupCipher.encrypt([1], record: &clean, random: random).cover == .needsImage)
        let before = own.imageForStorage().receipt
        GroupCipher.rotate(record: &own, random: random)
        own.committed(before)
        #expect(own.durableBound == nil)
    }
}
