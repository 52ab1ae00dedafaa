import Cryptography

@testable import Signal

/// Every position of every sending chain that was ever on the wire, over all instances and crashes (oracle O1).
struct ChaosPublished {
    private struct Position: Hashable {
        let chain: [UInt8]
        let counter: UInt32
    }

    private var seen: [Position: [UInt8]] = [:]
    /// One above the last counter on the wire, by ratchet key.
    private(set) var next: [PublicKey: UInt32] = [:]

    mutating func note(_ frame: ChaosFrame) throws {
        for copy in frame.copies {
            let message =
                copy.type == .preKey
                ? try PreKeySignalMessage(parsing: copy.bytes).message : try SignalMessage(parsing: copy.bytes)
            next[message.ratchetKey] = max(next[message.ratchetKey] ?? 0, message.counter + 1)
            try note(Position(chain: message.ratchetKey.raw, counter: message.counter), copy.bytes, frame.id)
        }
        if let text = frame.groupText {
            let message = try SenderKeyMessage(parsing: text)
            let chain = Array("\(frame.group ?? "") \(message.keyID)".utf8)
            try note(Position(chain: chain, counter: message.iteration), text, frame.id)
        }
    }

    private mutating func note(_ position: Position, _ bytes: [UInt8], _ id: String) throws {
        if let known = seen.updateValue(bytes, forKey: position), known != bytes {
            throw ChaosFinding(oracle: "O1", detail: "\(id) uses counter \(position.counter) of a chain again")
        }
    }
}
