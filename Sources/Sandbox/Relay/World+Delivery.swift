import Transport

/// How far a connection is with the queue of its device.
enum Delivery: Sendable, Equatable {
    /// Nothing of the queue is written yet.
    case held
    /// The marker is out; everything new is written at once.
    case live
}

/// Queues, their delivery after login and their end by acknowledgement (09, section 15; 01, section 23; 04, section 22.2).
extension World {
    /// Queues `stanza` for `device` and writes it if its connection is live. Device 0 is the phone: it gets the stanza at the
    /// end of the turn, unqueued.
    func enqueue(_ stanza: Stanza, for device: Device) {
        guard !device.isRemoved else { return }
        counters.copiesQueued += 1
        guard !device.isPhone else { return tellPhone(device.account, stanza) }
        while device.queue.count >= max(1, settings.queueLimit), let oldest = device.queue.removeOldest() {
            erase(oldest, of: device)
            counters.queueOverflows += 1
            violation("queue_overflow", "dropped \(oldest.stanza.tag) \(oldest.id)", device: device)
        }
        let item = device.queue.append(stanza, time: clock.milliseconds)
        if let stored = item.stored { store.put(Self.queuePrefix(of: device) + Self.padded(item.order), stored) }
        if let connection = device.connection, connection.delivery == .live {
            device.queue.markInFlight(item.order, true)
            if stanza.tag == "message" { device.answers.written(item.id) }
            connection.deliver(stanza)
        }
    }

    func offlinePreview(of device: Device) -> Stanza {
        var counts: [String: Int] = [:]
        for item in device.queue.ordered { counts[item.stanza.tag, default: 0] += 1 }
        return .bulletin(
            Stanza(
                "offline_preview",
                [
                    "count": .int(device.queueLength), "message": .int(counts["message"] ?? 0),
                    "receipt": .int(counts["receipt"] ?? 0), "notification": .int(counts["notification"] ?? 0),
                    "call": .int(counts["call"] ?? 0), "appdata": "0",
                ]))
    }

    /// Writes the whole queue with `offline="0"`, `"1"` … and the marker, once per connection. Called on `active`, on
    /// `offline_batch` and 5 s after login, whichever comes first.
    func startDelivery(to device: Device, on connection: ClientConnection) {
        guard connection.delivery == .held, connection.isOpen else {
            return offerBootstrap(device)
        }
        device.queue.resetInFlight()
        let items = device.queue.ordered
        for (number, item) in items.enumerated() {
            var stanza = item.stanza
            stanza["offline"] = String(number)
            device.queue.markInFlight(item.order, true)
            if stanza.tag == "message" { device.answers.written(item.id) }
            connection.send(stanza)
        }
        connection.send(.bulletin(Stanza("offline", ["count": .int(items.count)])))
        connection.delivery = .live
        offerBootstrap(device)
    }

    func dropExpired(from device: Device) {
        for item in device.queue.removeOlder(than: clock.milliseconds - Int64(settings.queueLifetime)) {
            erase(item, of: device)
        }
    }

    /// Removes what `device` acknowledged: entries of kind `tag` with this stanza id, and the same sender if one is named.
    @discardableResult
    func dequeue(_ tag: String, id: String, from: JID?, participant: JID?, of device: Device) -> Bool {
        let removed = device.queue.removeAll(id: id) { stanza in
            guard stanza.tag == tag else { return false }
            guard let from, tag != "message" else { return true }
            return stanza.from == from && (participant == nil || stanza.jid("participant") == participant)
        }
        for item in removed { erase(item, of: device) }
        return !removed.isEmpty
    }

    /// Drops what waits for `device` and was overtaken by something newer.
    func dequeueWaiting(for device: Device, where matches: (Stanza) -> Bool) {
        for item in device.queue.removeWaiting(where: matches) { erase(item, of: device) }
    }

    private func erase(_ item: QueueItem, of device: Device) {
        store.delete(Self.queuePrefix(of: device) + Self.padded(item.order))
    }

    // MARK: For the phone and the control API

    /// Queues a stanza that needs acknowledgement (`message`, `receipt`, `notification`, `call`) for one device.
    package func deliver(_ stanza: Stanza, to device: Device) { enqueue(stanza, for: device) }
}
