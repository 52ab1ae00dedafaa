import Cryptography
import Signal
import Transport

/// Watches that no device ever uses a position of a sending chain for two texts: the one mistake that breaks the
/// secrecy of messages and that no receiver would tell of (16-performance-durability, section 1.2).
///
/// A repeated stanza carries the same ciphertext and is fine; another ciphertext at a known position is a violation.
@SandboxActor
struct PositionWatch {
    /// Positions remembered, oldest forgotten first.
    static let capacity = 200_000

    private struct Position: Hashable {
        /// Account and number of the sending device.
        let sender: String
        /// Public ratchet key, or group and id of the sender key.
        let chain: Bytes
        let counter: UInt32
    }

    private var seen: [Position: Bytes] = [:]
    private var order: [Position] = []
    private var oldest = 0

    /// The positions of `message` that its sender had used for another ciphertext before.
    mutating func reused(in message: Stanza, by device: Device) -> [String] {
        let sender = "\(device.account.phone):\(device.id)"
        var found: [String] = []
        let copies = (message.child("participants")?.children("to") ?? []).flatMap { $0.children("enc") }
        for enc in copies + message.children("enc") {
            guard let bytes = enc.bytesContent, let (chain, counter) = Self.position(enc, bytes, message.to) else {
                continue
            }
            let position = Position(sender: sender, chain: chain, counter: counter)
            let digest = SHA256Digest.hash(bytes)
            if let known = seen[position] {
                if known != digest { found.append("counter \(counter) of \(Hex.encode(chain.prefix(8)))") }
            } else {
                remember(position, digest)
            }
        }
        return found
    }

    private mutating func remember(_ position: Position, _ digest: Bytes) {
        seen[position] = digest
        order.append(position)
        if order.count - oldest > Self.capacity {
            seen[order[oldest]] = nil
            oldest += 1
        }
        if oldest > Self.capacity {
            order.removeFirst(oldest)
            oldest = 0
        }
    }

    /// Nil for what is no Signal message; receivers deal with that.
    private static func position(_ enc: Stanza, _ bytes: Bytes, _ to: JID?) -> (chain: Bytes, counter: UInt32)? {
        switch enc["type"] {
        case "msg":
            guard let message = try? SignalMessage(parsing: bytes) else { return nil }
            return (message.ratchetKey.raw, message.counter)
        case "pkmsg":
            guard let message = try? PreKeySignalMessage(parsing: bytes).message else { return nil }
            return (message.ratchetKey.raw, message.counter)
        case "skmsg":
            guard let message = try? SenderKeyMessage(parsing: bytes) else { return nil }
            return (Bytes("\(to?.description ?? "") \(message.keyID)".utf8), message.iteration)
        default: return nil
        }
    }
}
