import Cryptography
import Transport

/// Where fault rules touch a connection: every stanza in, every stanza out.
extension ClientConnection {
    func fire(_ stage: FaultPoint.Stage, _ stanza: Stanza?) -> [FaultAction] {
        world.fire(stage, stanza, connection: self, device: device)
    }

    // MARK: Inbound

    /// Gives `stanza` to the world, as the rules let it.
    func process(_ stanza: Stanza, raw: Bytes) {
        var stanza = stanza
        var outcome = AnswerFault()
        var times = 1
        var gap = 0
        var step: ((@escaping @SandboxActor () -> Void) -> Void)?
        var pace = Pace()
        for action in fire(.inbound, stanza) {
            switch action {
            case .drop: return
            case .dropAnswer: outcome.droppedID = stanza.id
            case .iqError(let code, let text):
                guard stanza.tag == "iq" else { continue }
                return send(.error(to: stanza, .other(code: code, text: text)))
            case .ackError(let code): outcome.error = code
            case .ackPhash(let value): outcome.phash = value
            case .replace(let other): stanza = other
            case .corruptEnc: stanza = stanza.withCorruptEnc()
            case .duplicate(let count, let milliseconds): (times, gap) = (1 + max(0, count), milliseconds)
            case .delay(let milliseconds):
                step = { [inboundFaults, world] in inboundFaults.delay(milliseconds, in: world, $0) }
            case .stall(let milliseconds): inboundFaults.stall(milliseconds, in: world)
            case .latency, .throttle: pace.add(action, size: raw.count, random: world.random)
            case .reorder(let window):
                step = { [inboundFaults, world] in inboundFaults.reorder(window, in: world, first: $0) }
            case .end(let last, let abrupt): return end(with: last, abrupt: abrupt)
            case .close(let code): return close(code: CloseCode(codeNumber: code))
            case .reset: return reset()
            default: continue
            }
        }
        let fault = outcome
        let final = stanza
        let run: @SandboxActor () -> Void = { [weak self] in
            guard let self, self.isOpen else { return }
            self.answerFault = fault
            self.world.receive(final, raw: raw, on: self)
            self.answerFault = AnswerFault()
        }
        if let step { step(run) } else { inboundFaults.pass(run, at: pace, in: world) }
        for number in 1..<max(2, times) where number < times {
            inboundFaults.delay(gap * number, in: world, run)
        }
    }

    // MARK: Outbound

    /// Writes `stanza`, as the rules let it.
    func transmit(_ stanza: Stanza) {
        if let dropped = answerFault.droppedID, stanza.tag == "iq" || stanza.tag == "ack", stanza.id == dropped {
            return
        }
        guard world.faults != nil else { return outboundFaults.pass { self.write(stanza) } }
        var stanza = stanza
        var damages: [FaultAction] = []
        var after: FaultAction?
        var times = 1
        var gap = 0
        var step: ((@escaping @SandboxActor () -> Void) -> Void)?
        var pace = Pace()
        for action in fire(.outbound, stanza) {
            switch action {
            case .drop: return
            case .replace(let other): stanza = other
            case .unavailable(let type): stanza = stanza.withUnavailable(type)
            case .corruptEnc: stanza = stanza.withCorruptEnc()
            case .clockSkew(let seconds):
                if let time = stanza.int("t") { stanza["t"] = String(time + seconds) }
            case .iqError(let code, let text):
                guard stanza.tag == "iq", let id = stanza.id else { continue }
                stanza = .error(
                    to: Stanza("iq", ["id": .text(id), "to": stanza.attributes["from"]]), .other(code: code, text: text)
                )
            case .ackError(let code) where stanza.tag == "ack": stanza["error"] = String(code)
            case .ackPhash(let value) where stanza.tag == "ack": stanza["phash"] = value
            case .duplicate(let count, let milliseconds): (times, gap) = (1 + max(0, count), milliseconds)
            case .delay(let milliseconds):
                step = { [outboundFaults, world] in outboundFaults.delay(milliseconds, in: world, $0) }
            case .stall(let milliseconds): outboundFaults.stall(milliseconds, in: world)
            case .latency, .throttle:
                pace.add(
                    action, size: (try? StanzaCodec.encodeFrame(stanza).count) ?? 0, random: world.random)
            case .reorder(let window):
                step = { [outboundFaults, world] in outboundFaults.reorder(window, in: world, first: $0) }
            case .corruptFrame, .corruptNode, .truncate, .oversize, .badFlag, .splitMessage: damages.append(action)
            case .end, .close, .reset: after = action
            default: continue
            }
        }
        let final = stanza
        let flaws = damages
        let run: @SandboxActor () -> Void = { [weak self] in
            guard let self, self.isOpen else { return }
            if flaws.isEmpty { self.write(final) } else { self.write(final, flaws: flaws) }
        }
        if let step { step(run) } else { outboundFaults.pass(run, at: pace, in: world) }
        for number in 1..<max(2, times) where number < times {
            outboundFaults.delay(gap * number, in: world, run)
        }
        switch after {
        case .end(let last, let abrupt): end(with: last, abrupt: abrupt)
        case .close(let code): close(code: CloseCode(codeNumber: code))
        case .reset: reset()
        default: break
        }
    }

    private func write(_ stanza: Stanza, flaws: [FaultAction]) {
        guard var plaintext = try? StanzaCodec.encodeFrame(stanza) else { return }
        var damage: ((inout Bytes) -> Void)?
        var parts = 1
        for flaw in flaws {
            switch flaw {
            case .corruptFrame: damage = { sealed in if !sealed.isEmpty { sealed[sealed.count / 2] ^= 0x55 } }
            case .corruptNode: if plaintext.count > 2 { plaintext[plaintext.count / 2] ^= 0xFF }
            case .truncate: plaintext.removeLast(plaintext.count / 2)
            case .oversize: plaintext += Bytes(repeating: 0, count: 1 << 20)
            case .badFlag: plaintext[0] = 0x02
            case .splitMessage(let count): parts = count
            default: break
            }
        }
        if parts > 1 { passOn() }
        write(plaintext: plaintext, damage: damage)
        if parts > 1 { splitMessage(parts: parts) }
    }
}

/// What is wrong with the answers to the stanza being processed.
struct AnswerFault {
    /// Id of the stanza that gets no answer.
    var droppedID: String?
    var error: Int?
    var phash: String?
}

extension World {
    func fire(
        _ stage: FaultPoint.Stage, _ stanza: Stanza?, connection: ClientConnection?, device: Device?
    ) -> [FaultAction] {
        guard let faults else { return [] }
        return faults.fire(
            at: FaultPoint(
                stage: stage, connection: connection?.id, account: device?.account.phone,
                device: device.map { Int($0.id) }, stanza: stanza))
    }
}
