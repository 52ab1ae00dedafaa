import Transport

/// Which devices get a copy (04-message-pipeline, sections 4.3 and 3.1).
package enum DeviceSelection {
    package struct Direct: Sendable, Equatable {
        /// Devices of the recipient: the plain payload.
        package var recipient: [JID]
        /// Own other devices: the device-sent payload.
        package var own: [JID]

        package var all: [JID] { recipient + own }
    }

    /// For a one-to-one chat; in a chat with oneself every other own device gets the device-sent copy.
    package static func direct(recipient: JID, lists: [UserDeviceList], own: OwnAddresses) -> Direct {
        var result = Direct(recipient: [], own: [])
        var seen: Set<JID> = []
        for device in lists.flatMap(\.jids) where seen.insert(device).inserted && !own.isThisDevice(device) {
            if own.contains(user: device) { result.own.append(device) } else { result.recipient.append(device) }
        }
        return result
    }

    /// For a group: everybody's devices without hosted ones, device 99 and this one. The hash covers this one too.
    package static func group(lists: [UserDeviceList], own: OwnAddresses, isLIDMode: Bool) -> (
        devices: [JID], phash: String
    ) {
        var seen: Set<JID> = []
        let all = lists.flatMap(\.jids).filter { !$0.isHosted && $0.device != 99 && seen.insert($0).inserted }
        let devices = all.filter { !own.isThisDevice($0) }
        let ownDevice = isLIDMode ? own.lid ?? own.pn : own.pn
        let hashed = seen.contains(ownDevice) ? all : all.filter { !own.isThisDevice($0) } + [ownDevice]
        return (devices, ParticipantHash.version2(hashed))
    }
}
