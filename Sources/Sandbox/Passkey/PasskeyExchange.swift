import Cryptography
import Foundation
import Transport
import WhatsAppProtobuf

/// The passkey step of one pairing, both server's and phone's part (02, section 10, whose step numbers are used here; 09,
/// section 9). A value: bytes go in, checks come out.
struct PasskeyExchange {
    /// `CompanionEphemeralIdentity{1 publicKey, 2 deviceType, 3 ref}`, as it was committed to.
    struct CompanionIdentity: Sendable, Equatable {
        let bytes: Bytes
        let publicKey: PublicKey
        let deviceType: UInt64
        let ref: String

        init?(_ bytes: Bytes) {
            let fields = ProtoFields(lenient: bytes)
            guard let key = fields.bytes(1).flatMap({ try? PublicKey(raw: $0) }), let ref = fields.string(3) else {
                return nil
            }
            self.bytes = bytes
            publicKey = key
            deviceType = fields.uint(2) ?? 0
            self.ref = ref
        }
    }

    enum Failure: Error, Equatable {
        case malformedAssertion(String)
        case unknownCredential
        case wrongChallenge
        case malformedPrologue
        case commitmentMismatch
        case notDue
        case unreadableRequest
        case keyMismatch
    }

    private static let handoffInfo = Bytes("shortcake-passkey-handoff-v1".utf8)
    private static let encryptionInfo = Bytes("Pairing Information Encryption Key".utf8)

    let account: Account
    /// The ADV secret of the QR or code that began the pairing, 32 bytes.
    let firstSecret: Bytes
    /// 32 bytes.
    let challenge: Bytes
    /// Raw ids of the account's credentials.
    let credentials: [Bytes]
    let primary: KeyPair
    /// 32 bytes.
    let primaryNonce: Bytes

    init(
        account: Account, firstSecret: Bytes, challenge: Bytes, credentials: [Bytes], primary: KeyPair,
        primaryNonce: Bytes
    ) {
        self.account = account
        self.firstSecret = firstSecret
        self.challenge = challenge
        self.credentials = credentials
        self.primary = primary
        self.primaryNonce = primaryNonce
    }

    /// What `<ref/>` was answered with (step 4).
    var ref: String?
    private(set) var companion: CompanionIdentity?
    private var commitment: Bytes = []
    /// `XXXX-XXXX`, once the companion's nonce is known (step 10).
    private(set) var code: String?
    /// The companion proved that it holds the first ADV secret: nobody need compare codes.
    private(set) var isProven = false
    /// The person at the phone said that the codes are the same.
    var isConfirmed = false
    /// A request that came before the confirmation.
    var waitingRequest: Bytes?

    /// The JSON of step 1. `relyingParty`: `rpId`; `timeout` in milliseconds.
    func options(relyingParty: String, timeout: Int) -> Bytes {
        let json: JSONValue = [
            "challenge": .string(Base64.encodeURLSafe(challenge)), "timeout": .number(timeout),
            "rpId": .string(relyingParty), "userVerification": "preferred", "extensions": [:],
            "allowCredentials": .array(
                credentials.map {
                    [
                        "id": .string(Base64.encodeURLSafe($0)), "type": "public-key",
                        "transports": ["hybrid", "internal"],
                    ]
                }),
        ]
        return Bytes(json.text.utf8)
    }

    /// Step 6: the assertion, and what it carries of the companion.
    mutating func takePrologue(_ node: Stanza) throws(Failure) {
        guard let assertion = node.child("webauthn_assertion")?.bytesContent.flatMap({ JSONValue.parse($0) }),
            assertion.objectValue != nil
        else { throw .malformedAssertion("no JSON") }
        guard let shown = node.child("credential_id")?.bytesContent,
            let raw = (assertion["rawId"] ?? assertion["id"])?.stringValue.flatMap({ Base64.decodeURLSafe($0) }),
            raw == shown
        else { throw .malformedAssertion("rawId is not the credential id") }
        guard credentials.contains(shown) else { throw .unknownCredential }
        guard let response = assertion["response"],
            let clientData = response["clientDataJSON"]?.stringValue.flatMap({ Base64.decodeURLSafe($0) })
                .flatMap({ JSONValue.parse($0) })
        else { throw .malformedAssertion("no clientDataJSON") }
        guard response["authenticatorData"]?.stringValue != nil, response["signature"]?.stringValue != nil else {
            throw .malformedAssertion("no authenticatorData or signature")
        }
        guard let answered = clientData["challenge"]?.stringValue.flatMap({ Base64.decodeURLSafe($0) }),
            answered == challenge
        else { throw .wrongChallenge }
        guard let payload = node.child("prologue_payload")?.bytesContent else { throw .malformedPrologue }
        let fields = ProtoFields(lenient: payload)
        guard let identity = fields.bytes(1).flatMap({ CompanionIdentity($0) }), identity.ref == ref,
            let commitment = fields.message(2)?.bytes(1), commitment.count == 32
        else { throw .malformedPrologue }
        companion = identity
        self.commitment = commitment
        if let proof = node.child("pairing_handoff_proof")?.bytesContent {
            let key = HKDFSHA256.derive(inputKeyMaterial: firstSecret, info: Self.handoffInfo, count: 32)
            isProven = constantTimeEquals(proof, HMACSHA256.authenticate(payload, key: key))
        }
    }

    /// Step 8: `PrimaryEphemeralIdentity{1 publicKey, 2 nonce}`.
    var primaryIdentity: Bytes {
        var writer = ProtoWriter()
        writer.bytes(1, primary.publicKey.raw)
        writer.bytes(2, primaryNonce)
        return writer.bytes
    }

    /// Steps 9 and 10: checks the commitment and makes the code that both sides show.
    mutating func takeNonce(_ nonce: Bytes) throws(Failure) -> String {
        guard let companion else { throw .notDue }
        guard nonce.count == 32, constantTimeEquals(SHA256Digest.hash(companion.bytes + nonce), commitment) else {
            throw .commitmentMismatch
        }
        let mask = SHA256Digest.hash(nonce + primary.publicKey.raw)
        let bytes = zip(primaryNonce.prefix(5), mask.prefix(5)).map { $0 ^ $1 }
        let shown = LinkCode(random: Bytes(bytes))?.shown ?? ""
        code = shown
        return shown
    }

    /// Steps 11 to 13: opens `EncryptedPairingRequest{1 encryptedPayload, 2 IV}` and returns the new ADV secret. The keys inside
    /// must be those of the connection, 32 bytes each.
    func openRequest(_ request: Bytes, noiseKey: Bytes, identityKey: Bytes) throws(Failure) -> Bytes {
        guard let companion, code != nil else { throw .notDue }
        let fields = ProtoFields(lenient: request)
        let salt = Bytes("Companion Pairing \(companion.deviceType) with ref \(companion.ref)".utf8)
        guard let payload = fields.bytes(1), let iv = fields.bytes(2), iv.count == 12,
            let shared = try? primary.privateKey.agree(with: companion.publicKey),
            let plaintext = try? AESGCM.open(
                payload,
                key: HKDFSHA256.derive(
                    inputKeyMaterial: shared.bytes, salt: salt, info: Self.encryptionInfo, count: 32), nonce: iv)
        else { throw .unreadableRequest }
        let pairing = ProtoFields(lenient: plaintext)
        guard let secret = pairing.bytes(3), secret.count == 32 else { throw .unreadableRequest }
        guard pairing.bytes(1) == noiseKey, pairing.bytes(2) == identityKey else { throw .keyMismatch }
        return secret
    }
}
