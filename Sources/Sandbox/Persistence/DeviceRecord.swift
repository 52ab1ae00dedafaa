import Cryptography
import Foundation
import Transport

/// How a companion is written to the store, key `device/<phone>/<id, three digits>`: JSON with keys in hex.
struct DeviceRecord: Codable {
    var id: UInt16
    var keyIndex: UInt32
    var registrationID: UInt32
    var identityKey: String
    var signedPreKeyID: UInt32
    var signedPreKey: String
    var signedPreKeySignature: String
    var noiseKey: String
    var signedIdentity: String
    var deviceProps: String
    var platform: String
    var linked: Int64
    var lastLogin: Int64?
    var countedPreKeys: Int
    var dirty: [String: Int64]
    var wasBootstrapped: Bool
    /// The registered push `config` as an encoded stanza.
    var pushConfig: String?
}

extension DeviceRecord {
    @SandboxActor
    init(_ device: Device) {
        id = device.id
        keyIndex = device.keyIndex
        registrationID = device.registrationID
        identityKey = Hex.encode(device.identityKey.raw)
        signedPreKeyID = device.signedPreKey.id
        signedPreKey = Hex.encode(device.signedPreKey.key.raw)
        signedPreKeySignature = Hex.encode(device.signedPreKey.signature)
        noiseKey = Hex.encode(device.noiseKey?.raw ?? [])
        signedIdentity = Hex.encode(device.signedIdentity ?? [])
        deviceProps = Hex.encode(device.deviceProps ?? [])
        platform = device.platform
        linked = device.linked
        lastLogin = device.lastLogin
        countedPreKeys = device.countedPreKeys
        dirty = device.dirty
        wasBootstrapped = device.wasBootstrapped
        pushConfig = device.pushConfig.flatMap { try? StanzaCodec.encode($0) }.map { Base64.encode($0) }
    }

    @SandboxActor
    func device(of account: Account) -> Device? {
        guard let identityKey = Self.publicKey(identityKey), let signedPreKey = Self.publicKey(signedPreKey),
            let noiseKey = Self.publicKey(noiseKey), let signature = Hex.decode(signedPreKeySignature),
            let signedIdentity = Hex.decode(signedIdentity), let deviceProps = Hex.decode(deviceProps)
        else { return nil }
        let device = Device(
            account: account, id: id, keyIndex: keyIndex, registrationID: registrationID, identityKey: identityKey,
            signedPreKey: Device.SignedPreKey(id: signedPreKeyID, key: signedPreKey, signature: signature),
            noiseKey: noiseKey, signedIdentity: signedIdentity, deviceProps: deviceProps, platform: platform,
            linked: linked)
        device.lastLogin = lastLogin
        device.countedPreKeys = countedPreKeys
        device.dirty = dirty
        device.wasBootstrapped = wasBootstrapped
        if let pushConfig, let bytes = Base64.decode(pushConfig) {
            device.pushConfig = try? StanzaCodec.decode(frame: [0] + bytes)
        }
        return device
    }

    private static func publicKey(_ hex: String) -> PublicKey? {
        Hex.decode(hex).flatMap { try? PublicKey(raw: $0) }
    }
}
