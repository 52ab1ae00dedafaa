import Cryptography
import Testing

@testable import Signal

@Suite("Two parties over a bad network")
struct SessionSimulationTests {
    /// Messages on their way in one direction, with the text each must give.
    private struct Wire {
        var travelling: [(text: Bytes, ciphertext: SessionCiphertext)] = []
        var delivered: [(text: Bytes, ciphertext: SessionCiphertext)] = []
    }

    @Test(
        "with loss, duplication, reordering and restarts, every delivered message decrypts exactly once",
        arguments: 0..<12)
    func interleavings(_ seed: Int) throws {
        var choices = Choices(seed: UInt64(seed) &* 7919 &+ 1)
        var (alice, bob) = (Party("alice", seed: [UInt8(seed)]), Party("bob", seed: [UInt8(seed)]))
        try alice.start(with: "bob", bob.bundle())
        if choices.chance(50) { try bob.start(with: "alice", alice.bundle()) }
        var (toBob, toAlice) = (Wire(), Wire())
        var number = 0
        for _ in 0..<400 {
            let fromAlice = choices.chance(50)
            switch choices.below(10) {
            case 0..<4:
                number += 1
                let text = Bytes("message \(number)".utf8)
                if fromAlice, alice.records["bob"]?.hasCurrent == true {
                    toBob.travelling.append((text, try alice.send(text, to: "bob")))
                } else if !fromAlice, bob.records["alice"]?.hasCurrent == true {
                    toAlice.travelling.append((text, try bob.send(text, to: "alice")))
                }
            case 4..<8:
                if fromAlice {
                    try deliver(&toBob, to: &bob, from: "alice", &choices)
                } else {
                    try deliver(&toAlice, to: &alice, from: "bob", &choices)
                }
            case 8:
                if fromAlice {
                    try repeatOld(toBob, to: &bob, from: "alice", &choices)
                } else {
                    try repeatOld(toAlice, to: &alice, from: "bob", &choices)
                }
            default:
                if fromAlice {
                    alice.records["bob"] = try SessionRecord(parsing: alice.snapshot("bob"))
                } else {
                    bob.records["alice"] = try SessionRecord(parsing: bob.snapshot("alice"))
                }
            }
        }
        for (party, peer) in [(alice, "bob"), (bob, "alice")] {
            let record = try #require(party.records[peer])
            #expect(record.archived.count <= 40)
            for state in record.archived + [record.current].compactMap({ $0 }) {
                #expect(state.receivers.count <= 5)
                #expect(state.receivers.allSatisfy { $0.chain.skipped.count <= 2_000 })
            }
        }
    }

    /// Delivers a message out of the front of the queue, mostly in order; drops one sometimes.
    private func deliver(_ wire: inout Wire, to party: inout Party, from peer: String, _ choices: inout Choices) throws
    {
        guard !wire.travelling.isEmpty else { return }
        // Receivers keep five chains, so reordering stays within the newest few messages.
        let index = choices.chance(70) ? 0 : choices.below(min(4, wire.travelling.count))
        let message = wire.travelling.remove(at: index)
        guard !choices.chance(5) else { return }
        #expect(try party.receive(message.ciphertext, from: peer).plaintext == message.text)
        wire.delivered.append(message)
    }

    /// Delivers a message once more; a recent one is recognised as a duplicate, and none is accepted.
    private func repeatOld(_ wire: Wire, to party: inout Party, from peer: String, _ choices: inout Choices) throws {
        guard let message = wire.delivered.last else { return }
        let before = party.snapshot(peer)
        #expect(throws: SignalError.duplicateMessage(counter: message.ciphertext.counter)) {
            try party.receive(message.ciphertext, from: peer)
        }
        if let old = wire.delivered.randomElement(using: &choices) {
            #expect(throws: SignalError.self) { try party.receive(old.ciphertext, from: peer) }
        }
        #expect(party.snapshot(peer) == before)
    }
}
