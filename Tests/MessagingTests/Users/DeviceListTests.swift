import Cryptography
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Device lists")
struct DeviceListTests {
    private let user = JID.lid("222333444555666")
    private let now = Timestamp(seconds: 1_767_323_045)

    private func answer(_ devices: [(UInt16, UInt32?)], list: [UInt8]? = nil) -> Usync.DeviceList {
        Usync.DeviceList(
            devices: devices.map { .init(id: $0.0, keyIndex: $0.1, isHosted: false) }, hash: nil, keyIndexList: list)
    }

    private func keyIndexList(rawID: UInt64, current: UInt64, valid: [UInt64], account: KeyPair) -> [UInt8] {
        var details = ProtoWriter()
        details.varint(1, rawID)
        details.varint(2, 1_767_000_000)
        details.varint(3, current)
        var packed = ProtoWriter()
        for index in valid { packed.raw(varint: index) }
        details.bytes(4, packed.bytes)
        var signed = ProtoWriter()
        signed.bytes(1, details.bytes)
        signed.bytes(2, account.privateKey.sign([6, 2] + details.bytes))
        return signed.bytes
    }

    /// A `<user>` of a bundle answer, with proof of `account`.
    private func bundle(_ device: FakeDevice, account: KeyPair) -> Stanza {
        var details = ProtoWriter()
        details.varint(1, 7)
        let identity = device.identity.publicKey.raw
        let signed = SignedDeviceIdentity(
            details: details.bytes, accountSignatureKey: account.publicKey.raw,
            accountSignature: account.privateKey.sign([6, 0] + details.bytes + identity),
            deviceSignature: device.identity.privateKey.sign(
                [6, 1] + details.bytes + identity + account.publicKey.raw))
        var node = device.bundleNode()
        node.content = .children(
            node.childrenContent + [Stanza("device-identity", bytes: signed.serialized())])
        return node
    }

    @Test("a companion's bundle counts when its account is the phone that is known, or that comes in the same answer")
    func vouchedBundles() throws {
        let (phone, companion) = (FakeDevice(user), FakeDevice(user.device(3)))
        func accepted(_ nodes: [Stanza], known: KeyPair?) throws -> [JID] {
            let answer = Stanza("iq", children: [Stanza("list", children: nodes)])
            return try BundleQuery.bundles(of: answer) { _ in known?.publicKey }.keys.sorted { $0.device < $1.device }
        }
        let genuine = bundle(companion, account: phone.identity)
        #expect(try accepted([genuine], known: nil) == [companion.jid])
        #expect(try accepted([genuine], known: phone.identity) == [companion.jid])
        #expect(try accepted([genuine], known: .generate()) == [])
        // The person registered anew, which we did not know.
        #expect(try accepted([phone.bundleNode(), genuine], known: .generate()) == [phone.jid, companion.jid])
        #expect(try accepted([phone.bundleNode(), bundle(companion, account: .generate())], known: nil) == [phone.jid])
    }

    @Test("companions without a key index are left out, the phone never is")
    func needsKeyIndex() {
        let result = UserDeviceList.filtered(
            answer([(0, nil), (3, 2), (4, nil)]), user: user, accountIdentity: nil, previous: nil, now: now)
        #expect(result.list.devices == [0, 3])
    }

    @Test("the signed list decides which companions count: listed, or newer than the list")
    func keyIndexes() {
        let account = KeyPair.generate()
        let list = keyIndexList(rawID: 7, current: 5, valid: [0, 2], account: account)
        let result = UserDeviceList.filtered(
            answer([(0, nil), (1, 1), (2, 2), (3, 6)], list: list), user: user, accountIdentity: account.publicKey,
            previous: nil, now: now)
        #expect(result.list.devices == [0, 2, 3])
        #expect(result.list.rawID == 7 && result.list.keyIndex == 5)
    }

    @Test("a list signed by somebody else is ignored")
    func badSignature() {
        let list = keyIndexList(rawID: 7, current: 5, valid: [0], account: .generate())
        let result = UserDeviceList.filtered(
            answer([(0, nil), (1, 1)], list: list), user: user, accountIdentity: KeyPair.generate().publicKey,
            previous: nil, now: now)
        #expect(result.list.devices == [0, 1])
        #expect(result.list.rawID == nil)
    }

    @Test("another raw id means that the account was registered anew")
    func reregistered() {
        let account = KeyPair.generate()
        let old = UserDeviceList(user: user.description, devices: [0, 1], rawID: 6, fetchedAt: now)
        let list = keyIndexList(rawID: 7, current: 1, valid: [0, 1], account: account)
        let result = UserDeviceList.filtered(
            answer([(0, nil), (1, 1)], list: list), user: user, accountIdentity: account.publicKey, previous: old,
            now: now)
        #expect(result.isReregistered)
    }

    private func notification(_ tag: String, device: UInt16, hash: String?) throws -> DeviceNotification {
        try #require(
            DeviceNotification(
                Stanza(
                    "notification",
                    ["type": "devices", "from": "15550001111@s.whatsapp.net", "lid": .jid(user), "id": "1", "t": "1"],
                    children: [
                        Stanza(
                            tag, ["device_lid_hash": hash.map(AttributeValue.text)],
                            children: [
                                Stanza("device", ["jid": .jid(.user("15550001111", device: device)), "key-index": "2"])
                            ])
                    ])))
    }

    @Test("an added device joins the cached list when the hash agrees; else the list is dropped")
    func added() throws {
        let list = UserDeviceList(user: user.description, devices: [0], fetchedAt: now)
        let hash = ParticipantHash.version2([user, user.device(3)])
        let changed = try notification("add", device: 3, hash: hash).applied(to: list)
        #expect(changed?.devices == [0, 3] && changed?.hash == hash)
        #expect(try notification("add", device: 4, hash: hash).applied(to: list) == nil)
        let shorter = try notification("remove", device: 3, hash: nil)
        #expect(shorter.applied(to: try #require(changed))?.devices == [0])
        #expect(shorter.removedDevices == [3])
        #expect(try notification("update", device: 3, hash: nil).applied(to: list) == nil)
    }

    @Test("one-to-one: the recipient's devices and the own others, never this one; groups leave hosted ones out")
    func selection() {
        let own = OwnAddresses(pn: Bench.pn, lid: Bench.lid)
        let lists = [
            UserDeviceList(user: user.description, devices: [0, 3], hosted: [3], fetchedAt: now),
            UserDeviceList(user: Bench.lid.bare.description, devices: [0, 5, 7], fetchedAt: now),
        ]
        let direct = DeviceSelection.direct(recipient: user, lists: lists, own: own)
        #expect(direct.recipient == [user, JID(user: user.user, server: .hostedLID, device: 3)])
        #expect(direct.own == [Bench.lid.bare, Bench.lid.bare.device(5)])
        let group = DeviceSelection.group(lists: lists, own: own, isLIDMode: true)
        #expect(group.devices == [user, Bench.lid.bare, Bench.lid.bare.device(5)])
        #expect(group.phash == ParticipantHash.version2(group.devices + [Bench.lid]))
    }

    @Test("tokens: four weeks long, ours issued once per week")
    func tokens() {
        let week: Int64 = 604_800
        let now = week * 100 + 5
        #expect(PrivacyToken.isValid(timestamp: week * 97, now: now))
        #expect(!PrivacyToken.isValid(timestamp: week * 97 - 1, now: now))
        #expect(PrivacyToken.needsIssuing(lastIssued: nil, now: now))
        #expect(!PrivacyToken.needsIssuing(lastIssued: week * 100, now: now))
        #expect(PrivacyToken.needsIssuing(lastIssued: week * 100 - 1, now: now))
    }
}
