import Cryptography
import DequeModule
import Transport

/// `xmlns="encrypt"`: count, upload, fetch, digest, rotation (09, sections 11.3 and 13.1; 02, section 15).
extension World {
    func answerEncrypt(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        switch (request.isSet, request.child?.tag) {
        case (false, "count"):
            return request.result(Stanza("count", ["value": .int(request.device.oneTimePreKeyCount)]))
        case (false, "key"): return try fetchKeys(request)
        case (false, "digest"): return request.result(digest(of: request.device))
        case (true, "rotate"):
            guard let node = iq.child("rotate", "skey") else { throw IQError.badRequest }
            request.device.signedPreKey = try signedPreKey(node, of: request.device)
            save(request.device)
            return .result(to: iq)
        case (true, _) where iq.child("list") != nil && iq.child("skey") != nil: return try upload(request)
        default: throw IQError.notImplemented
        }
    }

    // MARK: Upload

    private func upload(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        let device = request.device
        guard let registration = iq.child("registration")?.bytesContent, registration.count == 4,
            let identity = iq.child("identity")?.bytesContent, iq.child("type")?.bytesContent == [PublicKey.typeByte],
            BigEndian.number(registration) == device.registrationID, identity == device.identityKey.raw
        else {
            violation("prekey_upload", "not the device's identity", device: device, stanza: nil)
            throw IQError.notAcceptable
        }
        guard let skey = iq.child("skey"), let list = iq.child("list") else { throw IQError.badRequest }
        let signed = try signedPreKey(skey, of: device)
        let keys = try list.children("key").map { node in
            guard let id = node.child("id")?.bytesContent, id.count == 3,
                let value = node.child("value")?.bytesContent, let key = try? PublicKey(raw: value)
            else {
                violation("prekey_upload", "malformed key", device: device)
                throw IQError.notAcceptable
            }
            return Device.OneTimePreKey(id: BigEndian.number(id), key: key)
        }
        device.signedPreKey = signed
        store(keys, of: device)
        save(device)
        events.emit(
            .prekeysUploaded, account: device.account.phone, device: Int(device.id),
            connection: device.connection?.id,
            ["count": .int(Int64(keys.count)), "total": .int(Int64(device.oneTimePreKeyCount))])
        offerBootstrap(device)
        return .result(to: iq)
    }

    /// Checks lengths and the signature; a key that does not verify is refused with 406 (03, section 18).
    private func signedPreKey(_ node: Stanza, of device: Device) throws -> Device.SignedPreKey {
        guard let id = node.child("id")?.bytesContent, id.count == 3,
            let value = node.child("value")?.bytesContent, let key = try? PublicKey(raw: value),
            let signature = node.child("signature")?.bytesContent, signature.count == 64,
            device.identityKey.verify(signature: signature, of: key.serialized)
        else {
            violation("signed_prekey", "malformed or not signed by the identity", device: device)
            throw IQError.notAcceptable
        }
        return Device.SignedPreKey(id: BigEndian.number(id), key: key, signature: signature)
    }

    private func store(_ keys: [Device.OneTimePreKey], of device: Device) {
        var positions: [UInt32: Int] = [:]
        for (position, key) in device.oneTimePreKeys.enumerated() { positions[key.id] = position }
        for var key in keys {
            if let position = positions[key.id] {
                key.order = device.oneTimePreKeys[position].order
                device.oneTimePreKeys[position] = key
                save(key, of: device)
            } else if device.oneTimePreKeys.count < settings.prekeyKeepMax {
                key.order = device.nextPreKeyOrder
                device.nextPreKeyOrder += 1
                positions[key.id] = device.oneTimePreKeys.count
                device.oneTimePreKeys.append(key)
                save(key, of: device)
            } else {
                device.countedPreKeys += 1
            }
        }
    }

    // MARK: Fetch

    private func fetchKeys(_ request: IQRequest) throws -> Stanza {
        let faults = fire(
            .prekeyFetch, request.stanza, connection: request.device.connection, device: request.device)
        var users: [Stanza] = []
        var withOneTimeKey = 0
        let asked = request.stanza.child("key")?.children("user") ?? []
        for node in asked {
            guard let jid = node.jid("jid") else { continue }
            guard let device = device(jid), device.account.isRegistered else {
                if settings.prekeyErrorsForUnknown {
                    users.append(
                        Stanza(
                            "user", ["jid": .jid(jid)],
                            children: [Stanza("error", ["code": "404", "text": "item-not-found"])]))
                }
                continue
            }
            remember(request.account, met: device.account)
            let bundle = bundle(
                of: device, asked: jid, withoutOneTimeKey: faults.contains(.noPrekeys),
                identity: wrongIdentity(faults))
            if bundle.oneTimePreKey != nil { withOneTimeKey += 1 }
            users.append(Self.stanza(bundle))
            if faults.contains(where: \.notifiesOfIdentity) {
                tellIdentityChange(of: device.account, to: request.device)
            }
        }
        events.emit(
            .prekeysFetched, account: request.account.phone, device: Int(request.device.id),
            connection: request.device.connection?.id,
            [
                "asked": .int(Int64(asked.count)), "found": .int(Int64(users.count)),
                "with_one_time_key": .int(Int64(withOneTimeKey)),
            ])
        return request.result(Stanza("list", children: users))
    }

    private func wrongIdentity(_ faults: [FaultAction]) -> PublicKey? {
        for case .wrongIdentity(let name, _) in faults {
            if let account = try? account(named: name) { return account.identity.publicKey }
        }
        return nil
    }

    private func bundle(
        of device: Device, asked jid: JID, withoutOneTimeKey: Bool = false,
        identity: PublicKey? = nil
    ) -> PublicBundle {
        PublicBundle(
            jid: jid, registrationID: device.registrationID, identityKey: identity ?? device.identityKey,
            signedPreKey: device.signedPreKey,
            oneTimePreKey: withoutOneTimeKey ? nil : takeOneTimePreKey(of: device),
            signedIdentity: device.signedIdentity)
    }

    private func takeOneTimePreKey(of device: Device) -> Device.OneTimePreKey? {
        if device.isPhone { return phone?.makeOneTimePreKey(for: device.account) }
        guard let key = device.oneTimePreKeys.popFirst() else {
            if device.countedPreKeys > 0 {
                device.countedPreKeys -= 1
                save(device)
            }
            noticeLowPreKeys(of: device)
            return nil
        }
        erase(key, of: device)
        noticeLowPreKeys(of: device)
        return key
    }

    /// `encrypt` count notification below the low mark: at most once a minute, only to a connected device.
    private func noticeLowPreKeys(of device: Device) {
        let now = clock.milliseconds
        guard device.oneTimePreKeyCount < settings.prekeyLowMark, device.connection != nil else { return }
        if let last = device.lastLowNotice, now - last < Int64(settings.prekeyNoticeInterval) { return }
        device.lastLowNotice = now
        events.emit(
            .prekeysLow, account: device.account.phone, device: Int(device.id), connection: device.connection?.id,
            ["count": .int(Int64(device.oneTimePreKeyCount))])
        enqueue(
            Stanza(
                "notification",
                [
                    "from": .jid(.serverJID), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                    "type": "encrypt",
                ],
                children: [Stanza("count", ["value": .int(device.oneTimePreKeyCount)])]),
            for: device)
    }

    private static func stanza(_ bundle: PublicBundle) -> Stanza {
        var children = [
            Stanza("registration", bytes: BigEndian.registration(bundle.registrationID)),
            Stanza("type", bytes: [PublicKey.typeByte]),
            Stanza("identity", bytes: bundle.identityKey.raw),
        ]
        if let key = bundle.oneTimePreKey {
            children.append(
                Stanza(
                    "key",
                    children: [Stanza("id", bytes: BigEndian.id(key.id)), Stanza("value", bytes: key.key.raw)]))
        }
        children.append(stanza(bundle.signedPreKey))
        if let identity = bundle.signedIdentity { children.append(Stanza("device-identity", bytes: identity)) }
        return Stanza("user", ["jid": .jid(bundle.jid)], children: children)
    }

    private static func stanza(_ key: Device.SignedPreKey) -> Stanza {
        Stanza(
            "skey",
            children: [
                Stanza("id", bytes: BigEndian.id(key.id)), Stanza("value", bytes: key.key.raw),
                Stanza("signature", bytes: key.signature),
            ])
    }

    // MARK: Digest

    private func digest(of device: Device) -> Stanza {
        let keys = device.oneTimePreKeys
        let signed = device.signedPreKey
        let hash = SHA1Digest.hash(
            device.identityKey.raw + signed.key.raw + signed.signature + keys.flatMap(\.key.raw))
        return Stanza(
            "digest",
            children: [
                Stanza("registration", bytes: BigEndian.registration(device.registrationID)),
                Stanza("type", bytes: [PublicKey.typeByte]),
                Stanza("identity", bytes: device.identityKey.raw),
                Self.stanza(signed),
                Stanza("list", children: keys.map { Stanza("id", bytes: BigEndian.id($0.id)) }),
                Stanza("hash", bytes: hash),
            ])
    }

    // MARK: For the phone

    /// The bundle of a device, with one of its one-time prekeys used up; `nil` for an unknown device. `jid` in either space.
    package func takeBundle(for jid: JID) -> PublicBundle? {
        device(jid).map { bundle(of: $0, asked: jid) }
    }
}
