import Cryptography
import Foundation
import OrderedCollections
import Transport

extension World {
    func save(_ account: Account) {
        let order = accounts.index(forKey: account.phone) ?? accounts.count
        put("account/\(account.phone)", AccountRecord(account, order: order))
    }

    func save(_ device: Device) {
        guard !device.isPhone else { return }
        put(Self.key(of: device), DeviceRecord(device))
    }

    func save(_ group: Group) {
        let order = groups.index(forKey: group.id) ?? groups.count
        put("group/\(group.id)", GroupRecord(group, order: order))
    }

    /// Forgets everything stored about a removed companion.
    func erase(_ device: Device) {
        store.delete(Self.key(of: device))
        store.deleteAll(under: Self.preKeyPrefix(of: device))
        store.deleteAll(under: Self.queuePrefix(of: device))
    }

    func save(_ key: Device.OneTimePreKey, of device: Device) {
        store.put(
            Self.preKeyPrefix(of: device) + Self.padded(key.order),
            Bytes([UInt8(key.id >> 16 & 0xFF), UInt8(key.id >> 8 & 0xFF), UInt8(key.id & 0xFF)]) + key.key.raw)
    }

    func erase(_ key: Device.OneTimePreKey, of device: Device) {
        store.delete(Self.preKeyPrefix(of: device) + Self.padded(key.order))
    }

    /// Loads everything the store has. Call once, with the phones in place, before anybody can connect.
    package func load() {
        media.load()
        for (_, record) in records(AccountRecord.self, under: "account/").sorted(by: { $0.1.order < $1.1.order }) {
            guard let account = record.account(platform: settings.phonePlatform) else { continue }
            admit(account)
            loadDevices(of: account)
            loadAppState(of: account)
            phone?.accountAppeared(account, restored: true)
        }
        for (_, record) in records(GroupRecord.self, under: "group/").sorted(by: { $0.1.order < $1.1.order }) {
            groups[record.id] = record.group()
        }
        loadMemories()
    }

    private func loadDevices(of account: Account) {
        for (_, record) in records(DeviceRecord.self, under: "device/\(account.phone)/") {
            guard let device = record.device(of: account) else { continue }
            account.devices[device.id] = device
            for entry in store.all(under: Self.preKeyPrefix(of: device)) where entry.value.count == 35 {
                guard let key = try? PublicKey(raw: entry.value[3...]),
                    let order = UInt64(entry.key.suffix(Self.orderDigits))
                else { continue }
                let id = entry.value[..<3].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                var preKey = Device.OneTimePreKey(id: id, key: key)
                preKey.order = order
                device.oneTimePreKeys.append(preKey)
                device.nextPreKeyOrder = max(device.nextPreKeyOrder, order + 1)
            }
            for entry in store.all(under: Self.queuePrefix(of: device)) {
                guard let order = UInt64(entry.key.suffix(Self.orderDigits)),
                    let item = QueueItem(order: order, stored: entry.value)
                else { continue }
                device.queue.restore(item)
            }
        }
    }

    // MARK: Keys

    static let orderDigits = 16
    static func key(of device: Device) -> String { "device/\(device.account.phone)/\(threeDigits(device.id))" }
    static func preKeyPrefix(of device: Device) -> String {
        "prekey/\(device.account.phone)/\(threeDigits(device.id))/"
    }
    static func queuePrefix(of device: Device) -> String { "queue/\(device.account.phone)/\(threeDigits(device.id))/" }

    static func padded(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, orderDigits - text.count)) + text
    }

    private static func threeDigits(_ id: UInt16) -> String {
        let text = String(id)
        return String(repeating: "0", count: max(0, 3 - text.count)) + text
    }

    // MARK: JSON

    func put(_ key: String, _ value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let data = try? encoder.encode(value) else { return }
        store.put(key, Bytes(data))
    }

    /// Decodable records under `prefix`, in key order.
    func records<Record: Decodable>(_ type: Record.Type, under prefix: String) -> [(String, Record)] {
        let decoder = JSONDecoder()
        return store.all(under: prefix).compactMap { entry in
            (try? decoder.decode(type, from: Data(entry.value))).map { (entry.key, $0) }
        }
    }
}
