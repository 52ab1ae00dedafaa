import Cryptography
import Transport

extension UserDeviceList {
    /// A list is used for 24 h, an empty one (no such account) for 60 s (04, section 4.2).
    package func isFresh(at now: Timestamp) -> Bool {
        let age = now.seconds - fetchedAt.seconds
        return devices.isEmpty ? age < 60 : age < 86_400
    }

    /// The devices as addresses: hosted ones on their own server.
    package var jids: [JID] {
        guard let user = JID(self.user) else { return [] }
        return devices.map { device in
            var jid = user.device(device)
            if hosted.contains(device) { jid.server = user.isLID ? .hostedLID : .hosted }
            return jid
        }
    }

    /// Hash over the addresses of all devices, as notifications carry it.
    package var computedHash: String { ParticipantHash.version2(jids) }
}

extension UserDeviceList {
    /// What became of a fetched list after the account's key-index list had its say.
    package struct Filtered: Sendable, Equatable {
        package var list: UserDeviceList
        /// The account was registered anew: all companions known before are strangers (02, section 17.1).
        package var isReregistered: Bool
    }

    /// Takes an answer as the official client does: device 0 always; another only when it has a key index that the signed
    /// list admits. A list with a bad signature (when the account's key is known) is ignored as if absent.
    package static func filtered(
        _ answer: Usync.DeviceList, user: JID, accountIdentity: PublicKey?, previous: UserDeviceList?, now: Timestamp
    ) -> Filtered {
        var index = answer.keyIndexList.flatMap { try? SignedKeyIndexList(parsing: $0) }
        if let list = index, let account = accountIdentity, !list.isSigned(by: account) { index = nil }
        let admitted = answer.devices.filter { device in
            if device.id == 0 { return true }
            guard let keyIndex = device.keyIndex else { return false }
            return index?.admits(keyIndex: keyIndex) ?? true
        }
        let list = UserDeviceList(
            user: user.bare.description, devices: admitted.map(\.id), hosted: admitted.filter(\.isHosted).map(\.id),
            hash: answer.hash, rawID: index?.rawID ?? previous?.rawID,
            keyIndex: index?.currentIndex ?? previous?.keyIndex,
            timestamp: answer.keyIndexTimestamp ?? previous?.timestamp, fetchedAt: now)
        let isReregistered = index != nil && previous?.rawID != nil && previous?.rawID != index?.rawID
        return Filtered(list: list, isReregistered: isReregistered)
    }
}
