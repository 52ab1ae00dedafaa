import Cryptography
import DequeModule
import Signal
import Transport

/// Which key positions the server has seen in use (03-signal, section 14: no chain position encrypts two messages).
///
/// Ratchet key and counter, or sender key id and iteration, travel in the clear, so a server sees their reuse without any
/// key. A value without clock; the newest ``capacity`` positions are remembered.
struct CiphertextLedger {
    /// One position of one chain: who encrypts, for whom, with which chain, and how far along it.
    struct Position: Hashable, Sendable {
        /// `<phone>:<device>`.
        let sender: String
        /// `<phone>:<device>`, or the group.
        let receiver: String
        /// Ratchet key 32 bytes, or sender key id 4 bytes.
        let chain: Bytes
        let counter: UInt32

        /// The position of an `<enc>`; `nil` for other types and for content that is no Signal message.
        init?(type: String?, ciphertext: Bytes, sender: String, receiver: String) {
            self.sender = sender
            self.receiver = receiver
            switch type {
            case "msg":
                guard let message = try? SignalMessage(parsing: ciphertext) else { return nil }
                (chain, counter) = (message.ratchetKey.raw, message.counter)
            case "pkmsg":
                guard let message = try? PreKeySignalMessage(parsing: ciphertext).message else { return nil }
                (chain, counter) = (message.ratchetKey.raw, message.counter)
            case "skmsg":
                guard let message = try? SenderKeyMessage(parsing: ciphertext) else { return nil }
                (chain, counter) = (WireNumber.bytes(message.keyID, 4), message.iteration)
            default: return nil
            }
        }
    }

    enum Verdict: Equatable, Sendable {
        case fresh
        /// The same message with the same ciphertext came again.
        case repeated
        /// Another ciphertext or another message was encrypted at this position before: by the message of this id.
        case reused(by: String)
    }

    private struct Use {
        let message: String
        let fingerprint: Int
    }

    /// Positions remembered.
    let capacity: Int
    private var uses: [Position: Use] = [:]
    private var order: Deque<Position> = []

    init(capacity: Int = 50_000) { self.capacity = capacity }

    /// The positions that are remembered, in the order of their first use.
    var positions: some Sequence<Position> { order }

    /// Notes that `message` used `position` for `ciphertext`.
    mutating func note(_ position: Position, message: String, ciphertext: Bytes) -> Verdict {
        let fingerprint = ciphertext.hashValue
        if let use = uses[position] {
            return use.message == message && use.fingerprint == fingerprint ? .repeated : .reused(by: use.message)
        }
        uses[position] = Use(message: message, fingerprint: fingerprint)
        order.append(position)
        if order.count > capacity, let oldest = order.popFirst() { uses[oldest] = nil }
        return .fresh
    }
}
