import Cryptography
import Foundation
import Signal
import Transport

/// The Signal records of one phone: sessions, identities, one-time prekeys, sender keys. Kept in memory, written through to
/// the world's store, which is committed before anything the records produced leaves the process.
@SandboxActor
final class PhoneKeyStore {
    /// A sender key's owner in a group.
    private struct SenderKeyName: Hashable {
        let group: String
        let sender: SignalAddress

        var key: String { "senderkey/\(group)/\(sender)" }
    }

    private let store: any WorldStore
    private let prefix: String
    private var sessions: [SignalAddress: SessionRecord] = [:]
    private var identities: [SignalAddress: PublicKey] = [:]
    private var preKeys: [UInt32: KeyPair] = [:]
    private var senderKeys: [SenderKeyName: SenderKeyRecord] = [:]
    private var ownSenderKeys: [String: SenderKeyRecord] = [:]
    /// Group → LID device JIDs that hold the own sender key.
    private var senderKeyHolders: [String: Set<String>] = [:]
    private var lastPreKeyID: UInt32 = 0

    /// `prefix` ends with a slash.
    init(store: any WorldStore, prefix: String) {
        self.store = store
        self.prefix = prefix
    }

    // MARK: Sessions

    func session(_ address: SignalAddress) -> SessionRecord { sessions[address] ?? SessionRecord() }

    func save(_ record: SessionRecord, _ address: SignalAddress) {
        sessions[address] = record
        store.put(prefix + "session/\(address)", record.serialized())
    }

    func hasSession(_ address: SignalAddress) -> Bool { sessions[address]?.hasCurrent ?? false }
    func remoteRegistrationID(_ address: SignalAddress) -> UInt32? { sessions[address]?.remoteRegistrationID }

    func identity(of address: SignalAddress) -> PublicKey? { identities[address] }

    /// Notes the identity a device shows; another one than before retires its session.
    func note(identity: PublicKey, of address: SignalAddress) {
        guard identities[address] != identity else { return }
        if identities[address] != nil, var record = sessions[address] {
            record.archiveCurrent()
            save(record, address)
        }
        identities[address] = identity
        store.put(prefix + "identity/\(address)", identity.raw)
    }

    /// Drops session and identity of one device.
    func forget(address: SignalAddress) {
        sessions[address] = nil
        identities[address] = nil
        store.delete(prefix + "session/\(address)")
        store.delete(prefix + "identity/\(address)")
    }

    /// Drops everything known of a user's devices, and that they hold own sender keys.
    func forget(user: JID) {
        let name = SignalAddress(user).name
        for address in Set(sessions.keys).union(identities.keys) where address.name == name { forget(address: address) }
        for (group, holders) in senderKeyHolders {
            let rest = holders.filter { JID($0)?.user != user.user }
            if rest != holders { setHolders(rest, group) }
        }
    }

    // MARK: One-time prekeys

    func makePreKey(random: any RandomSource) -> OneTimePreKey {
        let key = OneTimePreKey(
            id: SignalNumbers.preKeyID(after: lastPreKeyID), keyPair: KeyPair.generate(random: random))
        lastPreKeyID = key.id
        preKeys[key.id] = key.keyPair
        store.put(prefix + "prekey/\(key.id)", key.keyPair.privateKey.secret.bytes)
        return key
    }

    func preKey(_ id: UInt32) -> KeyPair? { preKeys[id] }

    func removePreKey(_ id: UInt32) {
        preKeys[id] = nil
        // The highest id stays in the store, so that ids are not given out again after a restart.
        if id == lastPreKeyID {
            store.put(prefix + "prekey/\(id)", [])
        } else {
            store.delete(prefix + "prekey/\(id)")
        }
    }

    // MARK: Sender keys

    func senderKey(group: JID, sender: SignalAddress) -> SenderKeyRecord {
        senderKeys[SenderKeyName(group: group.description, sender: sender)] ?? SenderKeyRecord()
    }

    func save(_ record: SenderKeyRecord, group: JID, sender: SignalAddress) {
        let name = SenderKeyName(group: group.description, sender: sender)
        senderKeys[name] = record
        store.put(prefix + name.key, record.serialized())
    }

    func ownSenderKey(of group: JID) -> SenderKeyRecord { ownSenderKeys[group.description] ?? SenderKeyRecord() }

    func saveOwn(_ record: SenderKeyRecord, of group: JID) {
        ownSenderKeys[group.description] = record
        store.put(prefix + "own-senderkey/\(group)", record.serialized())
    }

    /// The devices that hold the own sender key of a group, as LID device JIDs.
    func holders(of group: JID) -> Set<String> { senderKeyHolders[group.description] ?? [] }

    func addHolders(_ devices: [String], of group: JID) {
        guard !devices.isEmpty else { return }
        setHolders(holders(of: group).union(devices), group.description)
    }

    /// Begins the group anew: the next message uses another key that nobody holds.
    func dropOwnSenderKey(of group: JID) {
        ownSenderKeys[group.description] = nil
        store.delete(prefix + "own-senderkey/\(group)")
        setHolders([], group.description)
    }

    private func setHolders(_ devices: Set<String>, _ group: String) {
        senderKeyHolders[group] = devices
        store.put(prefix + "holders/\(group)", Bytes(devices.sorted().joined(separator: "\n").utf8))
    }

    // MARK: Loading

    /// Reads everything back. Records that do not parse are left out: the peers will ask for new ones.
    func load() {
        for (key, value) in store.all(under: prefix) {
            let path = key.dropFirst(prefix.count).split(separator: "/", maxSplits: 2).map(String.init)
            guard path.count >= 2 else { continue }
            switch path[0] {
            case "session":
                if let address = SignalAddress(path[1]), let record = try? SessionRecord(parsing: value) {
                    sessions[address] = record
                }
            case "identity":
                if let address = SignalAddress(path[1]), let identity = try? PublicKey(raw: value) {
                    identities[address] = identity
                }
            case "prekey":
                guard let id = UInt32(path[1]) else { continue }
                lastPreKeyID = max(lastPreKeyID, id)
                if let privateKey = try? PrivateKey(raw: value) { preKeys[id] = KeyPair(privateKey: privateKey) }
            case "senderkey":
                if path.count == 3, let sender = SignalAddress(path[2]),
                    let record = try? SenderKeyRecord(parsing: value)
                {
                    senderKeys[SenderKeyName(group: path[1], sender: sender)] = record
                }
            case "own-senderkey":
                if let record = try? SenderKeyRecord(parsing: value) { ownSenderKeys[path[1]] = record }
            case "holders":
                senderKeyHolders[path[1]] = Set(
                    String(decoding: value, as: UTF8.self).split(separator: "\n").map(String.init))
            default: break
            }
        }
    }
}
