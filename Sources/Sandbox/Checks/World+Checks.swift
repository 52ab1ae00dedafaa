import Cryptography
import NIOCore
import OrderedCollections
import Transport

/// What the server watches its clients for, and reports as violations: a key position used twice, a message confirmed
/// twice, two sockets of one device.
extension World {
    /// Notes the key positions of a message that is about to be relayed; `key_reuse` for one that was used before.
    func checkPositions(of envelope: MessageEnvelope) {
        guard settings.keyChecks else { return }
        let sender = Self.checkName(envelope.sender)
        for entry in envelope.entries {
            guard let enc = entry.enc, let target = device(entry.jid) else { continue }
            check(enc, of: envelope, sender: sender, receiver: Self.checkName(target))
        }
        let to = envelope.message.jid("participant") ?? envelope.to
        for enc in envelope.shared {
            let receiver =
                enc.type == "skmsg"
                ? envelope.to.description : device(to).map(Self.checkName) ?? to.description
            check(enc, of: envelope, sender: sender, receiver: receiver)
        }
    }

    private func check(_ enc: Stanza, of envelope: MessageEnvelope, sender: String, receiver: String) {
        guard let ciphertext = enc.bytesContent,
            let position = CiphertextLedger.Position(
                type: enc.type, ciphertext: ciphertext, sender: sender, receiver: receiver)
        else { return }
        checks.positions += 1
        guard case .reused(let earlier) = ciphertexts.note(position, message: envelope.id, ciphertext: ciphertext)
        else { return }
        checks.keyReuses += 1
        violation(
            "key_reuse",
            "counter \(position.counter) of chain \(Hex.encode(position.chain.prefix(8))) to \(receiver) in message "
                + "\(envelope.id) was used by message \(earlier)", device: envelope.sender)
    }

    private static func checkName(_ device: Device) -> String { "\(device.account.phone):\(device.id)" }

    /// A client confirmed message `id`; `acked_twice` when it did so more often than it got the message.
    func checkAnswer(_ id: String, _ answer: AnswerLedger.Answer, of device: Device) {
        checks.answers += 1
        guard device.answers.answered(id, answer) else { return }
        checks.ackedTwice += 1
        violation(
            "acked_twice", "\(answer == .ack ? "ack" : "receipt") for message \(id) once more than it was delivered",
            device: device)
    }

    /// `new` logged in as a device whose socket `old` is still open: `two_sockets`, with how long `old` had been silent. How
    /// long both stay open is known when `old` closes.
    func checkOverlap(of old: ClientConnection, by new: ClientConnection) {
        guard let device = old.device else { return }
        old.overlap = ClientConnection.Overlap(by: new.id, device: device, since: .now())
        checks.overlaps += 1
        violation(
            "two_sockets", "logged in on connection \(new.id) while connection \(old.id) is open", connection: new,
            device: device,
            data: [
                "old_connection": .int(Int64(old.id)), "new_connection": .int(Int64(new.id)),
                "old_silent_ms": .int((NIODeadline.now() - old.lastInbound).nanoseconds / 1_000_000),
            ])
    }

    /// The older one of two sockets is closed: `socket_overlap` tells how long there were two, and how many frames still came
    /// on the older one.
    func checkOverlapEnd(of old: ClientConnection) {
        guard let overlap = old.overlap else { return }
        old.overlap = nil
        let milliseconds = (NIODeadline.now() - overlap.since).nanoseconds / 1_000_000
        checks.longestOverlap = max(checks.longestOverlap, milliseconds)
        checks.framesDuringOverlap += overlap.frames
        violation(
            "socket_overlap", "connection \(old.id) stayed open for \(milliseconds) ms beside connection \(overlap.by)",
            device: overlap.device,
            data: [
                "old_connection": .int(Int64(old.id)), "new_connection": .int(Int64(overlap.by)),
                "milliseconds": .int(milliseconds), "frames": .int(Int64(overlap.frames)),
            ])
    }
}

/// Totals of the checks since the start, for `GET /v1/checks`.
@SandboxActor
package final class WorldChecks {
    /// Key positions looked at, and how many of them had been used before.
    package internal(set) var positions = 0
    package internal(set) var keyReuses = 0
    /// Confirmations of messages, and how many were one too many.
    package internal(set) var answers = 0
    package internal(set) var ackedTwice = 0
    /// Logins of a device that had a socket, the longest time both were open (milliseconds of real time), and the frames
    /// that came on the older sockets meanwhile.
    package internal(set) var overlaps = 0
    package internal(set) var longestOverlap: Int64 = 0
    package internal(set) var framesDuringOverlap = 0
}
