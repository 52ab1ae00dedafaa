import Cryptography
import Foundation
import Sandbox
import Transport
import WhatsAppProtobuf

/// The keys of a companion device and the payloads made of them (02, sections 2 and 3).
final class Companion: @unchecked Sendable {
    // Safe: a test uses one companion from one task; `jid` and `lid` are set once, while pairing.
    let noiseKey = KeyPair.generate()
    let identity = KeyPair.generate()
    let signedPreKey = KeyPair.generate()
    var advSecret = SystemRandom().bytes(32)
    let registrationID: UInt32 = 0x1234
    var revision: UInt64 = 1_045_649_367
    private(set) var oneTimePreKeys: [KeyPair] = []
    private(set) var jid: JID?
    private(set) var lid: JID?

    func paired(as jid: JID, lid: JID) {
        self.jid = jid
        self.lid = lid
    }

    private func common(_ writer: inout ProtoWriter, isLogin: Bool) {
        writer.bool(3, isLogin)
        writer.message(5) { agent in
            agent.varint(1, 14)
            agent.message(2) { version in
                version.varint(1, 2)
                version.varint(2, 3000)
                version.varint(3, revision)
            }
        }
        writer.varint(12, 1)
        writer.varint(13, 1)
    }

    var preKeySignature: Bytes { identity.privateKey.sign(signedPreKey.publicKey.serialized) }

    func registrationPayload(signature: Bytes? = nil) -> Bytes {
        var writer = ProtoWriter()
        common(&writer, isLogin: false)
        writer.message(19) { data in
            data.bytes(1, [0, 0, 0x12, 0x34] as Bytes)
            data.bytes(2, [5] as Bytes)
            data.bytes(3, identity.publicKey.raw)
            data.bytes(4, [0, 0, 1] as Bytes)
            data.bytes(5, signedPreKey.publicKey.raw)
            data.bytes(6, signature ?? preKeySignature)
            data.bytes(7, Bytes(repeating: 7, count: 16))
            data.message(8) { props in
                props.string(1, "Test")
                props.message(5) { $0.bool(4, true) }
            }
        }
        return writer.bytes
    }

    func loginPayload(phone: String? = nil, device: UInt64? = nil) -> Bytes {
        var writer = ProtoWriter()
        writer.varint(1, UInt64(phone ?? jid?.user ?? "0") ?? 0)
        common(&writer, isLogin: true)
        writer.varint(18, device ?? UInt64(jid?.device ?? 0))
        return writer.bytes
    }

    func qr(ref: String) -> String {
        "https://wa.me/settings/linked_devices#"
            + [
                ref, Base64.encode(noiseKey.publicKey.raw), Base64.encode(identity.publicKey.raw),
                Base64.encode(advSecret),
                "1",
            ].joined(separator: ",")
    }

    /// The upload request with `count` new one-time keys.
    func upload(count: Int) -> [Stanza] {
        let first = oneTimePreKeys.count + 1
        oneTimePreKeys += (0..<count).map { _ in KeyPair.generate() }
        let keys = (first..<first + count).map { id in
            Stanza(
                "key",
                children: [
                    Stanza("id", bytes: [0, UInt8(id >> 8), UInt8(id & 0xFF)]),
                    Stanza("value", bytes: oneTimePreKeys[id - 1].publicKey.raw),
                ])
        }
        return [
            Stanza("registration", bytes: [0, 0, 0x12, 0x34]), Stanza("type", bytes: [5]),
            Stanza("identity", bytes: identity.publicKey.raw), Stanza("list", children: keys),
            Stanza(
                "skey",
                children: [
                    Stanza("id", bytes: [0, 0, 1]), Stanza("value", bytes: signedPreKey.publicKey.raw),
                    Stanza("signature", bytes: preKeySignature),
                ]),
        ]
    }

    /// The reply to `pair-success`: checks the HMAC, signs, and returns the result iq (02, section 7.4).
    func answer(pairSuccess iq: Stanza) throws -> Stanza {
        guard let success = iq.child("pair-success"), let container = success.child("device-identity")?.bytesContent,
            let device = success.child("device"), let jid = device.jid("jid"), let lid = device.jid("lid")
        else { throw TestFailure("malformed pair-success: \(iq)") }
        let parsed = try DeviceIdentity.Container(parsing: container)
        guard HMACSHA256.authenticate(parsed.details, key: advSecret) == parsed.hmac else {
            throw TestFailure("hmac mismatch")
        }
        var signed = try DeviceIdentity.Signed(parsing: parsed.details)
        guard let accountKey = signed.accountSignatureKey else { throw TestFailure("no account key") }
        signed.deviceSignature = identity.privateKey.sign(
            [6, 1] + signed.details + identity.publicKey.raw + accountKey)
        signed.accountSignatureKey = nil
        let index = try DeviceIdentity.Details(parsing: signed.details).keyIndex
        paired(as: jid, lid: lid)
        return Stanza(
            "iq", ["to": .jid(.serverJID), "id": iq.attributes["id"], "type": "result"],
            children: [
                Stanza(
                    "pair-device-sign",
                    children: [
                        Stanza("device-identity", ["key-index": .int(index)], bytes: signed.serialized())
                    ])
            ])
    }
}
