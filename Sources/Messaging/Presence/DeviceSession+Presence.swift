import Transport

extension DeviceSession {
    /// Own presence; `available` turns on active delivery receipts (04, section 15.2). Nothing without a push name.
    func setPresence(isAvailable: Bool) {
        guard !configuration.pushName.isEmpty else { return }
        if isAvailable {
            sendNow(LoginStanzas.unifiedSession(serverMilliseconds: now.milliseconds + clockOffset))
        }
        sendNow(PresenceStanzas.own(isAvailable: isAvailable, name: configuration.pushName))
        isActivePresence = isAvailable
    }

    /// Takes the own push name into use: the account's presence carries it, and none is sent without.
    func adoptPushName(_ name: String, in changes: inout ChangeSet) {
        guard !name.isEmpty, name != configuration.pushName else { return }
        configuration.pushName = name
        changes.device.pushName = name
        publish { $0.pushName = name }
        if case .open(_, .ready) = link { setPresence(isAvailable: configuration.appearsOnline || writingSends > 0) }
    }

    /// Whether delivery receipts say "shown" instead of `inactive`.
    var sendsActiveReceipts: Bool { isActivePresence || configuration.forcesActiveReceipts }

    /// Presence that the account shows now: what was asked for, and more while messages are being written.
    func updatePresence() {
        let isWanted = configuration.appearsOnline || writingSends > 0
        if isWanted != isActivePresence { setPresence(isAvailable: isWanted) }
    }

    /// Runs `send` as somebody who is there and types for a while. Sends that overlap share the presence: it ends with the
    /// last. Throws `CancellationError` when the caller gave up meanwhile.
    func simulated<Result: Sendable>(
        _ simulation: SendSimulation?, chat: JID, isAudio: Bool = false, _ send: () async throws -> Result
    ) async throws -> Result {
        guard let simulation, simulation.showsPresence else { return try await send() }
        writingSends += 1
        updatePresence()
        defer {
            writingSends -= 1
            updatePresence()
        }
        guard simulation.showsTyping else { return try await send() }
        sendNow(PresenceStanzas.chatState(isAudio ? .recording : .composing, to: chat))
        defer { sendNow(PresenceStanzas.chatState(.paused, to: chat)) }
        let span = Double(simulation.typing.upperBound - simulation.typing.lowerBound)
        try await configuration.pause(simulation.typing.lowerBound + Int64(span * fraction()))
        try requireReady()
        return try await send()
    }
}
