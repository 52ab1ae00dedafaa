import Logging
import Transport

extension DeviceSession {
    /// One stanza from the socket of link `number`. Answers and the stream's own stanzas are handled at once, the durable
    /// class in order (01-transport, section 13).
    func received(_ stanza: Stanza, number: UInt64) {
        guard number == linkNumber, case .open = link else { return }
        switch stanza.tag {
        case "iq":
            if !completeQuery(stanza) { serverRequest(stanza) }
        case "ack":
            if let ack = SendAck(stanza), acknowledged(ack) { return }
            _ = completeQuery(stanza)
        case "success": loginSucceeded(LoginSuccess(stanza))
        case "failure": streamEnded(StreamVerdict(failure: stanza, now: now))
        case "stream:error": streamError(stanza)
        case "xmlstreamend": break
        case "ib": bulletin(stanza)
        case "message", "appdata", "status", "receipt", "call": enqueue(stanza)
        case "notification":
            switch stanza.type {
            case "link_code_companion_reg", "companion_reg_refresh": pairingNotification(stanza)
            case "passkey_prologue_request", "crsc_continuation": passkeyNotification(stanza)
            default: enqueue(stanza)
            }
        case "error": logger.warning("the server refused a stanza", metadata: ["code": "\(stanza["code"] ?? "")"])
        default: break
        }
    }

    /// Puts a stanza of the durable class in the lane.
    func enqueue(_ stanza: Stanza) {
        lastActivity = now
        lane.append(stanza, linkNumber: linkNumber)
        updateReading()
        guard !lane.isRunning else { return }
        lane.isRunning = true
        Task { await drainLane() }
    }

    private func drainLane() async {
        defer { lane.isRunning = false }
        while let entry = lane.next() {
            // What came over a connection that is gone comes again.
            guard entry.linkNumber == linkNumber else { continue }
            await handle(entry.stanza, number: entry.linkNumber)
            updateReading()
        }
    }

    private func handle(_ stanza: Stanza, number: UInt64) async {
        let key = "\(stanza.tag) \(stanza["from"] ?? "") \(stanza.id ?? "")"
        if stanza["offline"] != nil { offlineStanzaReceived() }
        lane.handling = key
        defer { lane.handling = nil }
        if lane.isPoison(key) { return refuse(stanza) }
        do {
            switch stanza.tag {
            case "message", "appdata": try await handleMessage(stanza)
            case "receipt": try await handleReceipt(stanza)
            case "notification": try await handleNotification(stanza)
            case "ib": offlineEnded(stanza)
            default: send(Acknowledgement.ack(stanza), after: tickets.newest)
            }
            lane.handled(key)
        } catch {
            // Its connection is gone, and the records it used may be: it comes again.
            guard number == linkNumber else { return }
            logger.error("handling a stanza failed", metadata: ["tag": "\(stanza.tag)", "error": "\(error)"])
            if (error as? SessionError)?.isNoFaultOfStanza == true { return handlingPutOff(number: number) }
            handlingFailed(stanza, key: key)
        }
    }

    /// Nothing is acked, so the server delivers again after a reconnect; the third failure of one stanza is refused
    /// (04, section 13.7).
    private func handlingFailed(_ stanza: Stanza, key: String) {
        if lane.failed(key) {
            return refuse(stanza)
        }
        handlingPutOff(number: linkNumber)
    }

    /// What came over link `number` could not be handled now and is not acked: it comes again with the next connection.
    func handlingPutOff(number: UInt64) {
        guard number == linkNumber else { return }
        requeue(forgetUncommitted())
        loseConnection(.ladder(minimum: 1), reason: "a stanza could not be handled")
    }

    private func refuse(_ stanza: Stanza) {
        send(Acknowledgement.ack(stanza, refusal: .unhandled), after: tickets.newest)
    }

    private func serverRequest(_ stanza: Stanza) {
        if stanza.child("pair-device") != nil { return pairDevice(stanza) }
        if stanza.child("pair-success") != nil { return pairSuccess(stanza) }
        if let pong = LoginStanzas.pong(stanza) { sendNow(pong) }
    }

    // MARK: The end of the stream

    private func streamError(_ stanza: Stanza) {
        if StreamVerdict.isUnknown(stanza) {
            let event = DeviceEvent.streamError(
                own: ownNumber, code: stanza["code"] ?? stanza.firstChild?.tag ?? "", at: now)
            record { $0.events.append(event) }
        }
        streamEnded(StreamVerdict(streamError: stanza))
    }

    private func streamEnded(_ verdict: StreamVerdict) {
        switch verdict {
        case .restart:
            if case .open(_, .registering) = link, registration?.isConfirming != true {
                return loseConnection(.idle, reason: "stream restart while pairing")
            }
            loseConnection(.immediately, reason: "restart required")
        case .retry(let after, let reason): loseConnection(.ladder(minimum: after), reason: reason)
        case .outdated: clientOutdated()
        case .end(let reason):
            if case .open(_, .registering) = link { return registrationRefused(reason) }
            if case .open(_, .unlinking) = link, reason.erases { return end(.unlinked) }
            end(reason)
        }
    }

    /// `<failure>` or the like while pairing: nothing is stored yet that could end, but the reason is told.
    private func registrationRefused(_ reason: SessionEnd) {
        let (now, ownNumber) = (now, ownNumber)
        var told = reason
        switch reason {
        case .banned(let code, let until):
            record { $0.events.append(.temporaryBan(own: ownNumber, code: code, until: until, at: now)) }
        case .loggedOut(let code, let text, _), .refused(let code, let text):
            told = .refused(code: code, text: text)
            record { $0.events.append(.connectFailure(own: ownNumber, code: code, text: text, at: now)) }
        case .unlinked, .replaced, .clientOutdated, .leaseLost, .storage: break
        }
        registrationClosed(.ended(told))
        loseConnection(.idle, reason: told.word)
    }

    /// Login refused with 405: asks the host for a newer version and tries once more (01, section 27).
    private func clientOutdated() {
        let isPairing = if case .open(_, .registering) = link { true } else { false }
        let event = DeviceEvent.clientOutdated(own: ownNumber, at: now)
        record { $0.events.append(event) }
        guard !didRefreshVersion else { return outdatedForGood(isPairing: isPairing) }
        didRefreshVersion = true
        closeConnection()
        link = .connecting(number: linkNumber, isPairing: isPairing)
        let number = linkNumber
        Task {
            let version = await host.newerVersion(than: configuration.clientVersion)
            guard case .connecting(number, _) = link else { return }
            guard let version else { return outdatedForGood(isPairing: isPairing) }
            configuration.clientVersion = version
            dial(pairing: isPairing)
        }
    }

    private func outdatedForGood(isPairing: Bool) {
        if isPairing {
            registrationClosed(.clientOutdated)
            closeConnection()
            becomeIdle(error: "client outdated")
        } else {
            end(.clientOutdated)
        }
    }

    // MARK: Bulletins

    /// `<ib>` with one child (01-transport, section 22).
    private func bulletin(_ stanza: Stanza) {
        guard let child = stanza.firstChild else { return }
        switch child.tag {
        case "offline_preview": offlinePreview(child)
        case "offline": enqueue(stanza)
        case "dirty": dirty(child)
        case "edge_routing":
            guard let info = child.child("routing_info")?.bytesContent, var changed = credentials,
                changed.routingInfo != info, changed.isPaired
            else { return }
            changed.routingInfo = info
            credentials = changed
            record { $0.credentials = .store(changed) }
        case "downgrade_webclient":
            let event = DeviceEvent.scannedWithoutMultidevice(own: ownNumber, at: now)
            record { $0.events.append(event) }
            announce(.scannedWithoutMultidevice)
        case "client_expiration": host.versionExpires()
        default: break
        }
    }

    private func offlinePreview(_ node: Stanza) {
        let count = max(0, node.int("count") ?? 0)
        let event = DeviceEvent.offlinePreview(
            own: ownNumber, total: count, appData: node.int("appdata") ?? 0, messages: node.int("message") ?? 0,
            notifications: node.int("notification") ?? 0, receipts: node.int("receipt") ?? 0, at: now)
        record { $0.events.append(event) }
        offline.preview(count: count)
        guard offline.isDraining else { return }
        requestOfflineBatches()
        scheduleOfflineSilence()
    }

    private func requestOfflineBatches() {
        while offline.isDue {
            offline.requested()
            sendNow(LoginStanzas.offlineBatch(count: OfflineDrain.batchCount))
        }
    }

    private func offlineStanzaReceived() {
        guard offline.isDraining else { return }
        offline.received()
        if offline.isDue, timers[.offlineBatch] == nil {
            schedule(.offlineBatch, milliseconds: OfflineDrain.requestDelay) { $0.requestOfflineBatches() }
        }
        scheduleOfflineSilence()
    }

    private func scheduleOfflineSilence() {
        schedule(.offline, seconds: configuration.timeouts.offlineSilence) { session in
            guard session.offline.isDraining else { return }
            session.offlineFinished(count: session.offline.finished())
        }
    }

    private func offlineFinished(count: Int) {
        for timer in [SessionTimer.offline, .offlineBatch] { cancel(timer) }
        let event = DeviceEvent.offlineCompleted(own: ownNumber, count: count, at: now)
        record { $0.events.append(event) }
    }

    /// The end marker, in lane order: everything before it is submitted.
    private func offlineEnded(_ stanza: Stanza) {
        offline.finished()
        offlineFinished(count: stanza.child("offline")?.int("count") ?? 0)
    }

    /// Cached data of a kind is stale: forget it, and tell the server that we know.
    private func dirty(_ node: Stanza) {
        guard let type = node.type else { return }
        switch type {
        case "groups", "communities":
            groups.removeAll()
            groupsStaleSince = now
        case "account_sync":
            privacySettings = nil
            forgetOwnDevices()
        // We keep nothing of the other kinds: who says that it is clean is not told again.
        default: return
        }
        let timestamp = node["timestamp"]
        Task {
            _ = try? await query { LoginStanzas.cleanDirtyBits(id: $0, type: type, timestamp: timestamp) }
        }
    }
}

extension SessionError {
    /// Whether store or connection were away: that says nothing against the stanza, which may be handled a moment later and
    /// is never refused for it.
    var isNoFaultOfStanza: Bool {
        switch self {
        case .storageUnavailable, .notConnected, .disconnected, .stopping: true
        default: false
        }
    }
}
