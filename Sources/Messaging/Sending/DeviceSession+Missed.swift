import Logging
import Signal
import Transport
import WhatsAppProtobuf

/// Devices that the server has and our lists lacked (04-message-pipeline, section 11.2): the ack's hash tells that there are
/// some, the lists fetched anew tell which.
extension DeviceSession {
    /// Seconds after the ack in which the copies must be out.
    private static let missedSeconds: Int64 = 60
    /// More than that is a list that changed for other reasons: whoever cannot read asks for it.
    private static let missedLimit = 64

    /// Sends them their copies under the message's id.
    func deliverToMissed(_ pending: PendingSend) async {
        let deadline = now.adding(seconds: Self.missedSeconds)
        do {
            let message = try ProtoMessage(.message, parsing: pending.plaintext)
            let missed = try await addressed(
                pending.isGroup ? missedMembers(pending) : missedDevices(pending))
            guard !missed.isEmpty, missed.count <= Self.missedLimit else { return }
            try await loadSessions(missed.map(\.address))
            try await ensureSessions(missed)
            for (device, address) in missed {
                if pending.isGroup, let name = ownSenderKey(pending.to) { try await loadSenderKey(name) }
                try await loadSessions([address])
                guard now < deadline, case .open(_, .ready) = link else { return }
                guard sessions.hasSession(address) else { continue }
                let isOwn = own?.contains(user: device) == true
                try sendCopy(
                    of: message, id: pending.id, chat: pending.to, row: pending.chat, device: device, address: address,
                    target: pending.isGroup
                        ? .group(pending.to, participant: device, isLIDMode: device.isLID)
                        : .direct(device: device, recipient: isOwn ? pending.to : nil))
            }
        } catch {
            logger.info("missed devices got no copy", metadata: ["message": "\(pending.id)", "error": "\(error)"])
        }
    }

    /// Devices of both sides that have no copy in the stanza.
    private func missedDevices(_ pending: PendingSend) async throws -> [JID] {
        guard let own, let stanza = pending.stanza else { return [] }
        let ownUser = pending.to.isLID ? own.lid?.bare ?? own.pn.bare : own.pn.bare
        let users = own.contains(user: pending.to) ? [ownUser] : [pending.to, ownUser]
        let selection = DeviceSelection.direct(
            recipient: pending.to, lists: try await deviceLists(of: users), own: own)
        let reached = Set(stanza.child("participants")?.children("to").compactMap { $0.jid("jid") } ?? [])
        return selection.all.filter { !reached.contains($0) }
    }

    /// Devices of the members that do not hold our present key: the server gave them the message, which they cannot read.
    private func missedMembers(_ pending: PendingSend) async throws -> [JID] {
        guard let own, let name = ownSenderKey(pending.to) else { return [] }
        let info = try await group(pending.to)
        let lists = try await deviceLists(of: info.participants.compactMap { JID($0.jid) })
        let (devices, _) = DeviceSelection.group(
            lists: lists, own: own, isLIDMode: info.addressingMode == .lid)
        try await loadSenderKey(name)
        let marks = try await marks(of: pending.to)
        guard let keyID = senderKeys.keyID(name) else { return [] }
        return try await addressed(devices).filter { device in
            !marks.contains(
                SenderKeyMark(group: pending.to.description, address: device.address.description, keyID: keyID))
        }.map(\.jid)
    }
}
