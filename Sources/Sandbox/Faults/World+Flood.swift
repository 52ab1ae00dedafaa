import OrderedCollections
import Transport

/// A device that finds a full queue: the fault `offline_flood` (09, section 23).
extension World {
    /// Queues `count` stanzas for `device`: texts from the phone of the account `from`, else notices that say nothing.
    func flood(_ device: Device, count: Int, from: String?) {
        if let from, let sender = try? account(named: from), let phone = phones?.phone(of: sender) {
            for number in 1...max(1, count) {
                guard (try? phone.send(.text("flood \(number)"), to: device.account.lidJID)) != nil else { return }
            }
            return
        }
        for _ in 0..<count {
            enqueue(
                Stanza(
                    "notification",
                    [
                        "from": .jid(.serverJID), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                        "type": "w:growth",
                    ]),
                for: device)
        }
    }
}
