import Cryptography
import NIOCore
import OrderedCollections
import Transport

/// From an accepted login payload to a delivering connection (09, section 10.1; 01, sections 22 to 24).
extension World {
    func login(_ device: Device, on connection: ClientConnection, client: ConnectingClient) {
        connection.settled()
        if let old = device.connection {
            checkOverlap(of: old, by: connection)
            old.end(with: .conflict("replaced"))
        }
        connection.phase = .loggedIn(device)
        device.connection = connection
        device.isActive = false
        device.lastLogin = clock.seconds
        save(device)
        events.emit(
            .deviceLogin, account: device.account.phone, device: Int(device.id), connection: connection.id,
            [
                "accepted": true, "queued": .int(Int64(device.queueLength)),
                "version": .string("\(client.version.0).\(client.version.1).\(client.version.2)"),
            ])
        connection.send(
            Stanza(
                "success",
                [
                    "t": .int(clock.seconds), "lid": .jid(device.jid(in: .lid)), "props": "27",
                    "creation": .int(device.account.created), "location": "sbx",
                ]))
        dropExpired(from: device)
        if device.queueLength > 0 { connection.send(offlinePreview(of: device)) }
        if settings.edgeRouting {
            connection.send(
                .bulletin(
                    Stanza("edge_routing", children: [Stanza("routing_info", bytes: [0x08, 0x02, 0x08, 0x05])])))
        }
        for mark in device.dirty.sorted(by: { $0.key < $1.key }) {
            connection.send(.bulletin(Stanza("dirty", ["type": .text(mark.key), "timestamp": .int(mark.value)])))
        }
        if settings.deliverWhenPassive {
            startDelivery(to: device, on: connection)
        } else {
            SandboxActor.loop.scheduleTask(in: .milliseconds(Int64(settings.passiveLimit))) {
                [weak self, weak connection] in
                SandboxActor.run {
                    guard let self, let connection, let device = connection.device else { return }
                    self.startDelivery(to: device, on: connection)
                }
            }
        }
    }

    /// The socket of a logged-in device is gone or about to go.
    func connectionLost(_ device: Device, _ connection: ClientConnection) {
        guard device.connection === connection else { return }
        device.connection = nil
        device.isActive = false
        setAvailable(device, false)
    }

    /// `<iq xmlns="passive"><active/></iq>` was answered.
    func activated(_ device: Device, on connection: ClientConnection) {
        if !device.isActive {
            device.isActive = true
            events.emit(
                .deviceActive, account: device.account.phone, device: Int(device.id), connection: connection.id)
        }
        startDelivery(to: device, on: connection)
    }

    /// Tells the phone, once per companion, that its first material can come now: active, prekeys uploaded, and the marker
    /// is out (19.4; 02, section 14).
    func offerBootstrap(_ device: Device) {
        guard !device.wasBootstrapped, device.isActive, device.oneTimePreKeyCount > 0,
            device.connection?.delivery == .live
        else { return }
        afterwards { [weak self, weak device] in
            guard let self, let device, !device.wasBootstrapped, !device.isRemoved, device.isConnected else { return }
            self.phone?.companionReady(device)
        }
    }

    // MARK: For the phone

    /// The phone has queued its first-login material for `device`; it is not asked again.
    package func markBootstrapped(_ device: Device) {
        device.wasBootstrapped = true
        save(device)
    }

    // MARK: For the control API

    /// Marks a cache of `device` as stale: `dirty` bulletins until the client cleans it (01, section 22.1).
    package func markDirty(_ type: String, of device: Device) {
        device.dirty[type] = clock.seconds
        save(device)
        device.connection?.send(
            .bulletin(Stanza("dirty", ["type": .text(type), "timestamp": .int(clock.seconds)])))
    }

    /// Ends the connection of `device`, if any: `replaced`, `device_removed` or a stream error code.
    package func disconnect(_ device: Device, with last: Stanza?) {
        device.connection?.end(with: last)
    }

    /// Tells every connection 503 and refuses upgrades for `seconds` of world time: the `server_restart` preset.
    package func restartServer(refusingFor seconds: Int) {
        refusesUpgradesUntil = clock.seconds + Int64(seconds)
        for connection in connections.values { connection.end(with: .streamError(code: 503)) }
    }
}
