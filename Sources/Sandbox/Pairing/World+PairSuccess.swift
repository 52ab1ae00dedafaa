import Cryptography
import OrderedCollections
import Transport
import WhatsAppProtobuf

/// From the phone's signature to a device (09, sections 7.2, 7.3; 02, section 7).
extension World {
    /// Real answer time allowed for `pair-device-sign`, milliseconds of world time.
    private static let signatureTime = 30_000
    /// "Hosted" to Baileys, so never given out.
    private static let hostedDeviceID: UInt16 = 99

    // MARK: For the phone

    /// Sets a device id and a key index aside for a new companion; the key index is used up whatever follows. Throws
    /// ``WorldError/tooManyCompanions``.
    package func nextCompanionNumbers(for account: Account) throws(WorldError) -> CompanionNumbers {
        let companions = account.companions
        guard companions.count < settings.maxCompanions else { throw .tooManyCompanions }
        let keyIndex = account.nextKeyIndex
        account.nextKeyIndex += 1
        var id = account.nextDeviceID
        var tries = 0
        while id == 0 || id == Self.hostedDeviceID || id > 255 || account.devices[id] != nil {
            id = id >= 255 ? 1 : id + 1
            tries += 1
            if tries > 255 { throw .tooManyCompanions }
        }
        account.nextDeviceID = id + 1
        save(account)
        return CompanionNumbers(
            deviceID: id, keyIndex: keyIndex,
            validIndexes: [0] + (companions.map(\.keyIndex) + [keyIndex]).sorted())
    }

    /// Sends `pair-success` with what the phone signed. `keyIndexList`: serialized `ADVSignedKeyIndexList` that contains the new
    /// index, and its time in seconds. Throws ``WorldError/pairingState(_:)`` when the session is over or signed already.
    package func sendPairSuccess(
        _ session: PairingSession, to account: Account, numbers: CompanionNumbers, approval: CompanionApproval,
        keyIndexList: (bytes: Bytes, time: Int64)
    ) throws(WorldError) {
        switch session.state {
        case .waiting, .codeEntered, .passkeyRequested, .passkeyCode: break
        case .signed, .completed, .failed, .expired: throw .pairingState(session.state.word)
        }
        guard let connection = session.connection else { throw .pairingState("connection_closed") }
        let iqID = newStanzaID()
        session.offer = PairingSession.Offer(
            account: account, deviceID: numbers.deviceID, keyIndex: numbers.keyIndex, approval: approval,
            keyIndexList: keyIndexList, iqID: iqID)
        session.state = .signed
        var children = [Stanza("device-identity", bytes: approval.container)]
        if let name = account.businessName { children.append(Stanza("biz", ["name": .text(name)])) }
        children.append(
            Stanza(
                "device",
                [
                    "jid": .jid(account.jid(in: .pn, device: numbers.deviceID)),
                    "lid": .jid(account.jid(in: .lid, device: numbers.deviceID)),
                ]))
        let platform = account.businessName == nil ? settings.phonePlatform : "smba"
        children.append(Stanza("platform", ["name": .text(platform)]))
        children.append(Stanza("client-props", bytes: Self.clientProperties))
        connection.send(
            Stanza(
                "iq",
                [
                    "from": .jid(.serverJID), "id": .text(iqID), "type": "set", "xmlns": "md",
                    "t": .int(clock.seconds),
                ],
                children: [Stanza("pair-success", children: children)]))
        session.timers.append(
            clock.schedule(after: Self.signatureTime) { [weak self, weak session] in
                guard let self, let session, case .signed = session.state else { return }
                self.finish(session, as: .failed("no_answer"))
            })
    }

    /// `ClientPairingProps` with the first three flags set: LID-migrated, pure LID sessions, snapshot recovery.
    private static let clientProperties: Bytes = {
        var writer = ProtoWriter()
        writer.bool(1, true)
        writer.bool(2, true)
        writer.bool(3, true)
        return writer.bytes
    }()

    // MARK: The client's reply

    /// An `iq` result or error on a registration connection. The answer to `pair-device` says nothing.
    func pairingReply(_ stanza: Stanza, session: PairingSession, on connection: ClientConnection) {
        guard let offer = session.offer, case .signed = session.state, stanza.id == offer.iqID else { return }
        guard stanza.type == "result" else {
            let error = stanza.child("error")
            return finish(session, as: .failed(error?["text"] ?? "refused"))
        }
        guard let node = stanza.child("pair-device-sign", "device-identity"), let reply = node.bytesContent else {
            violation("pair_device_sign", "no device-identity", connection: connection, stanza: stanza)
            return finish(session, as: .failed("malformed"))
        }
        do {
            let index = node.int("key-index").flatMap { UInt32(exactly: $0) }
            let identity = try offer.approval.complete(reply: reply, keyIndex: index)
            complete(session, offer: offer, identity: identity.serialized(), on: connection)
        } catch {
            violation("pair_device_sign", "\(error)", connection: connection)
            finish(session, as: .failed("signature_mismatch"))
        }
    }

    private func complete(
        _ session: PairingSession, offer: PairingSession.Offer, identity: Bytes, on connection: ClientConnection
    ) {
        let account = offer.account
        let registration = session.registration
        let device = Device(
            account: account, id: offer.deviceID, keyIndex: offer.keyIndex,
            registrationID: registration.registrationID, identityKey: registration.identityKey,
            signedPreKey: registration.signedPreKey, noiseKey: session.noiseKey, signedIdentity: identity,
            deviceProps: registration.deviceProps, platform: Self.platformName(registration.deviceProps),
            linked: clock.seconds)
        account.devices[device.id] = device
        account.devices.sort { $0.key < $1.key }
        account.keyIndexList = offer.keyIndexList
        save(account)
        save(device)
        events.emit(
            .pairingCompleted, account: account.phone, device: Int(device.id), connection: connection.id,
            [
                "pairing": .int(Int64(session.id)), "jid": .string(device.jid(in: .pn).description),
                "lid": .string(device.jid(in: .lid).description), "key_index": .int(Int64(device.keyIndex)),
            ])
        phone?.companionLinked(device)
        notifyDeviceChange(.add, of: device)
        finish(session, as: .completed)
        connection.end(with: .streamError(code: 515))
    }

    /// `os` (1) of `DeviceProps`.
    private static func platformName(_ deviceProps: Bytes) -> String {
        var reader = ProtoReader(deviceProps)
        while let field = try? reader.next() {
            if field.number == 1, let name = field.string { return name }
        }
        return "unknown"
    }
}
