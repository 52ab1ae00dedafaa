import Transport

@testable import Messaging

/// Pairing, login and requests.
extension StanzaCounterparts {
    static let login: [String: Builder] = [
        "connect without a device: pair-device": { PairingStanzas.acknowledgement(id: $0.id) },
        "second client connects": { PairingStanzas.acknowledgement(id: $0.id) },
        "phone scans: pair-success, pair-device-sign, stream:error 515, login, prekey count and upload, active":
            pairing,
        "link with phone number: companion_hello": { step in
            guard let body = step.sent.child("link_code_companion_reg"), let jid = body.jid("jid") else { return nil }
            return PairingStanzas.companionHello(
                id: step.id,
                PairingStanzas.CompanionHello(
                    phone: jid.user,
                    wrappedEphemeral: body.child("link_code_pairing_wrapped_companion_ephemeral_pub")?.bytesContent
                        ?? [],
                    noisePublic: body.child("companion_server_auth_key_pub")?.bytesContent ?? [], clientType: .chrome,
                    displayName: "Chrome (Linux)"))
        },
        "link with phone number: primary_hello, companion_finish, pairing, login": { step in
            guard let body = step.sent.child("link_code_companion_reg"), let jid = body.jid("jid") else {
                return try pairing(step)
            }
            return PairingStanzas.companionFinish(
                id: step.id, phone: jid.user,
                wrappedBundle: body.child("link_code_pairing_wrapped_key_bundle")?.bytesContent ?? [],
                identityPublic: body.child("companion_identity_public")?.bytesContent ?? [],
                ref: body.child("link_code_pairing_ref")?.bytesContent ?? [])
        },
        "presence available": { _ in PresenceStanzas.own(isAvailable: true, name: "Alice") },
        "presence unavailable": { _ in PresenceStanzas.own(isAvailable: false, name: "Alice") },
        "chat state composing": { chatState($0, .composing) },
        "chat state recording": { chatState($0, .recording) },
        "chat state paused": { chatState($0, .paused) },
        "mark not dirty": {
            LoginStanzas.cleanDirtyBits(id: $0.id, type: "account_sync", timestamp: "1750000000")
        },
        "keep-alive ping": { LoginStanzas.ping(id: $0.id) },
        "logout": { PairingStanzas.removeCompanion(id: $0.id, jid: own($0.client).pn) },
    ]

    @Sendable private static func chatState(
        _ step: StanzaCapture.Step, _ state: PresenceStanzas.ChatState
    ) -> Stanza? {
        step.sent.to.map { PresenceStanzas.chatState(state, to: $0) }
    }

    /// The signed identity of a pair-success: taken from what the real client sent, since only its key can make it.
    @Sendable private static func pairing(_ step: StanzaCapture.Step) throws -> Stanza? {
        guard let signed = step.sent.child("pair-device-sign", "device-identity"), let bytes = signed.bytesContent,
            let index = signed.int("key-index")
        else { return nil }
        let identity = try SignedDeviceIdentity(parsing: bytes)
        let account = AccountIdentity(
            details: identity.details, accountSignature: identity.accountSignature, accountSignatureKey: [],
            deviceSignature: identity.deviceSignature ?? [])
        return PairingStanzas.pairDeviceSign(
            id: step.id, pairing: VerifiedPairing(account: account, keyIndex: UInt32(index)))
    }

    static let queries: [String: Builder] = [
        "blocklist query": { LoginStanzas.blocklist(id: $0.id) },
        "media_conn query before the first upload": { MediaStanzas.connectionQuery(id: $0.id) },
        "app state fetch": { AppStateStanzas.fetch(id: $0.id, name: "regular_low", version: nil) },
        "app state fetch, full": { AppStateStanzas.fetch(id: $0.id, name: "regular_high", version: nil) },
        "app state send (mute)": { step in
            let patch = step.sent.child("sync", "collection", "patch")?.bytesContent ?? []
            // What is sent is a patch that we read and write alike, without a version.
            let parsed = try AppStatePatch(parsing: patch)
            guard parsed.version == nil else { return nil }
            return AppStateStanzas.send(id: step.id, name: "regular_high", version: 0, patch: parsed.serialized())
        },
    ]
}
