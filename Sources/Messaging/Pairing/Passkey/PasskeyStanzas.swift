import Cryptography
import Transport
import WhatsAppProtobuf

/// Stanzas of pairing by passkey (02-pairing-login, section 10), all on the registration connection.
package enum PasskeyStanzas {
    /// The public-key request options in a `passkey_prologue_request` notification or in the answer to `options`: a JSON
    /// object with a challenge, untouched. Nil when they cannot be read.
    package static func options(in stanza: Stanza) -> String? {
        guard let bytes = stanza.child("passkey_request_options")?.bytesContent, bytes.count <= 65_536,
            let text = String(validating: bytes, as: UTF8.self),
            let challenge = (try? ProtoJSON(parsing: text, depth: 32))?["challenge"]?.stringValue, !challenge.isEmpty
        else { return nil }
        return text
    }

    /// Asks for the options, after a notification that could not be read.
    package static func optionsQuery(id: String) -> Stanza {
        IQ.get(id: id, namespace: "md", Stanza("passkey_request_options"))
    }

    package static func refQuery(id: String) -> Stanza { IQ.get(id: id, namespace: "md", Stanza("ref")) }

    package static func ref(of answer: Stanza) -> String? {
        guard let ref = answer.child("ref")?.textContent, !ref.isEmpty else { return nil }
        return ref
    }

    /// The assertion with the companion's commitment; `proof` is left out once the handoff key has expired.
    package static func prologue(
        id: String, credentialID: [UInt8], assertion: [UInt8], payload: [UInt8], proof: [UInt8]?
    ) -> Stanza {
        var children = [
            Stanza("credential_id", bytes: credentialID), Stanza("webauthn_assertion", bytes: assertion),
            Stanza("prologue_payload", bytes: payload),
        ]
        if let proof { children.append(Stanza("pairing_handoff_proof", bytes: proof)) }
        return IQ.set(id: id, namespace: "md", Stanza("passkey_prologue", children: children))
    }

    /// The phone's half in a `crsc_continuation` notification.
    package struct PrimaryIdentity: Sendable, Equatable {
        package var publicKey: PublicKey
        /// 32 bytes.
        package var nonce: [UInt8]

        package init(publicKey: PublicKey, nonce: [UInt8]) {
            self.publicKey = publicKey
            self.nonce = nonce
        }

        /// Nil for a notification without both parts in their lengths.
        package init?(notification: Stanza) {
            guard let bytes = notification.child("primary_ephemeral_identity")?.bytesContent else { return nil }
            var reader = ProtoReader(bytes)
            var key: PublicKey?
            var nonce: [UInt8] = []
            do {
                while let field = try reader.next() {
                    switch field.number {
                    case 1: key = try PublicKey(raw: field.bytes)
                    case 2: nonce = Array(field.bytes)
                    default: break
                    }
                }
            } catch { return nil }
            guard let key, nonce.count == 32 else { return nil }
            publicKey = key
            self.nonce = nonce
        }
    }

    package static func companionNonce(id: String, _ nonce: [UInt8]) -> Stanza {
        IQ.set(id: id, namespace: "md", Stanza("companion_nonce", bytes: nonce))
    }

    package static func pairingRequest(id: String, _ request: [UInt8]) -> Stanza {
        IQ.set(id: id, namespace: "md", Stanza("encrypted_pairing_request", bytes: request))
    }
}
