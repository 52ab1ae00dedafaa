import Cryptography
import HTTPTypes
import OrderedCollections
import Transport

/// Pairings: what is open, scanning and entering codes.
extension ControlRoutes {
    /// How long a call waits for the companion's answer, milliseconds of real time.
    private static let patience = 30_000

    func addLinking() {
        on(.get, "/pairings") { call in
            .array(try call.world.pairings.values.filter { !$0.state.isOver }.map(\.json))
        }
        on(.post, "/accounts/:account/scan") { call in try await Self.scan(call) }
        on(.post, "/accounts/:account/confirm-passkey") { call in
            let (outcome, session) = try call.phones.confirmPasskey(
                try call.optionalText("code"), with: call.account)
            guard outcome == .confirmed else { return ["state": "wrong_code"] }
            guard call.query("wait") == "paired" else { return ["state": .string(session.state.word)] }
            return ["state": .string(try await call.world.whenOver(session, timeout: Self.patience).word)]
        }
        on(.post, "/accounts/:account/enter-code") { call in try await Self.enterCode(call) }
    }

    @SandboxActor
    private static func scan(_ call: ControlCall) async throws -> JSONValue {
        let account = try call.account
        guard
            let linked = try call.phones.scan(
                try call.text("qr"), with: account, demandsPasskey: call.optionalBool("passkey") ?? false)
        else { return ["state": "passkey_requested"] }
        let waits = call.query("wait") == "paired"
        return try await answer(linked, account: account, in: try call.world, waits: waits)
    }

    /// What became of an approved companion; waits for its signature when asked to.
    @SandboxActor
    private static func answer(
        _ linked: LinkedCompanion, account: Account, in world: World, waits: Bool
    ) async throws -> JSONValue {
        guard let session = world.pairings[linked.session] else { throw WorldError.noSuchPairing }
        let state = waits ? await world.whenOver(session, timeout: patience) : session.state
        if case .failed(let reason) = state {
            throw ControlError(409, "pairing_failed", "the companion did not complete the pairing: \(reason)")
        }
        return [
            "device": .number(linked.deviceID),
            "jid": .string(account.jid(in: .pn, device: linked.deviceID).description),
            "lid": .string(account.jid(in: .lid, device: linked.deviceID).description),
            "key_index": .number(linked.keyIndex), "state": .string(state.word),
        ]
    }

    @SandboxActor
    private static func enterCode(_ call: ControlCall) async throws -> JSONValue {
        let account = try call.account
        let world = try call.world
        let phones = try call.phones
        let outcome = try await phones.enterCode(
            try call.text("code"), with: account, demandsPasskey: try call.optionalBool("passkey") ?? false,
            timeout: patience)
        switch outcome {
        case .passkeyRequested: return ["state": "passkey_requested"]
        case .approved(let linked): return try await answer(linked, account: account, in: world, waits: true)
        case .wrongCode: return ["state": "wrong_code"]
        case .failed(let reason): return ["state": .string(reason)]
        case nil: return ["state": "no_answer"]
        }
    }
}

extension PairingSession {
    var json: JSONValue {
        var members: [String: JSONValue] = [
            "pairing": .number(id), "refs": .array(refs.map { .string($0) }), "state": .string(state.word),
            "started": .int(started),
            // What the QR text of this connection begins and goes on with; its secret is known to the companion alone.
            "qr_hint": .string(
                refs.first.map { ref in
                    let keys = [noiseKey.raw, registration.identityKey.raw].map { Base64.encode($0) }
                    return LinkingQRText.urlPrefix + ([ref] + keys).joined(separator: ",") + ","
                } ?? ""),
        ]
        if let connectionID { members["connection"] = .number(connectionID) }
        if let expires { members["expires"] = .int(expires) }
        if let code = passkey?.code { members["passkey_code"] = .string(code) }
        members["code_pending_for"] = linkCode.map { .string($0.phone) } ?? .null
        return .object(members)
    }
}
