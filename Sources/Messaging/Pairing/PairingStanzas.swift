import Transport

/// Stanzas of the registration connection (02-pairing-login, sections 6, 7, 9 and 18.1).
package enum PairingStanzas {
    /// Empty answer to pair-device.
    package static func acknowledgement(id: String) -> Stanza {
        Stanza("iq", ["to": .jid(.serverJID), "id": .text(id), "type": "result"])
    }

    /// The refs of a pair-device IQ, nil when the stanza is not one.
    package static func refs(of stanza: Stanza) -> [String]? {
        guard stanza.tag == "iq", let body = stanza.child("pair-device") else { return nil }
        return body.children("ref").compactMap(\.textContent).filter { !$0.isEmpty && !$0.contains(",") }
    }

    /// ```
    /// <iq to id type="result"><pair-device-sign><device-identity key-index>…</device-identity></pair-device-sign></iq>
    /// ```
    package static func pairDeviceSign(id: String, pairing: VerifiedPairing) -> Stanza {
        let identity = Stanza(
            "device-identity", ["key-index": .int(pairing.keyIndex)],
            bytes: SignedDeviceIdentity(pairing.account).serialized(withAccountKey: false))
        return Stanza(
            "iq", ["to": .jid(.serverJID), "id": .text(id), "type": "result"],
            children: [Stanza("pair-device-sign", children: [identity])])
    }

    package static func refusal(id: String, error: PairingError) -> Stanza {
        let (code, text) = error.reply
        return Stanza(
            "iq", ["to": .jid(.serverJID), "id": .text(id), "type": "error"],
            children: [Stanza("error", ["code": .int(code), "text": .text(text)])])
    }

    package struct CompanionHello: Sendable {
        /// Digits.
        package var phone: String
        package var wrappedEphemeral: [UInt8]
        package var noisePublic: [UInt8]
        package var clientType: ClientType
        /// `Browser (OS)` of well-known names, or the server answers 400.
        package var displayName: String
        package var showsPushNotification: Bool

        package init(
            phone: String, wrappedEphemeral: [UInt8], noisePublic: [UInt8], clientType: ClientType,
            displayName: String, showsPushNotification: Bool = true
        ) {
            self.phone = phone
            self.wrappedEphemeral = wrappedEphemeral
            self.noisePublic = noisePublic
            self.clientType = clientType
            self.displayName = displayName
            self.showsPushNotification = showsPushNotification
        }
    }

    package static func companionHello(id: String, _ hello: CompanionHello) -> Stanza {
        let body = Stanza(
            "link_code_companion_reg",
            [
                "jid": .jid(.user(hello.phone)), "stage": "companion_hello",
                "should_show_push_notification": .bool(hello.showsPushNotification),
            ],
            children: [
                Stanza("link_code_pairing_wrapped_companion_ephemeral_pub", bytes: hello.wrappedEphemeral),
                Stanza("companion_server_auth_key_pub", bytes: hello.noisePublic),
                Stanza("companion_platform_id", text: hello.clientType.rawValue),
                Stanza("companion_platform_display", bytes: Array(hello.displayName.utf8)),
                Stanza("link_code_pairing_nonce", bytes: [0]),
            ])
        return IQ.set(id: id, namespace: "md", body)
    }

    /// The pairing ref in the answer to companion_hello.
    package static func companionHelloRef(_ answer: Stanza) -> [UInt8]? {
        answer.child("link_code_companion_reg", "link_code_pairing_ref")?.bytesContent
    }

    package static func companionFinish(
        id: String, phone: String, wrappedBundle: [UInt8], identityPublic: [UInt8], ref: [UInt8]
    ) -> Stanza {
        let body = Stanza(
            "link_code_companion_reg", ["jid": .jid(.user(phone)), "stage": "companion_finish"],
            children: [
                Stanza("link_code_pairing_wrapped_key_bundle", bytes: wrappedBundle),
                Stanza("companion_identity_public", bytes: identityPublic),
                Stanza("link_code_pairing_ref", bytes: ref),
            ])
        return IQ.set(id: id, namespace: "md", body)
    }

    /// The phone's half in a `link_code_companion_reg` notification (02, section 9.5).
    package struct PrimaryHello: Sendable, Equatable {
        package var wrappedEphemeral: [UInt8]
        package var identityPublic: [UInt8]
        package var ref: [UInt8]

        /// Nil for another stage or a notification that lacks a part.
        package init?(notification: Stanza) {
            guard let body = notification.child("link_code_companion_reg"),
                body["stage"] == nil || body["stage"] == "primary_hello",
                let wrapped = body.child("link_code_pairing_wrapped_primary_ephemeral_pub")?.bytesContent,
                wrapped.count >= LinkCode.wrappedCount,
                let identity = body.child("primary_identity_pub")?.bytesContent, identity.count == 32,
                let ref = body.child("link_code_pairing_ref")?.bytesContent
            else { return nil }
            wrappedEphemeral = wrapped
            identityPublic = identity
            self.ref = ref
        }
    }

    /// Unlinks this device (02, section 18.1). `jid` is the own PN with device.
    package static func removeCompanion(id: String, jid: JID, reason: String = "user_initiated") -> Stanza {
        IQ.set(id: id, namespace: "md", Stanza("remove-companion-device", ["jid": .jid(jid), "reason": .text(reason)]))
    }
}
