import Cryptography

/// What the person's authenticator answered, for WhatsApp's origin: we only carry it (02-pairing-login, section 10, step 3;
/// 15-peers-and-users, P1). Binary members are base64url.
package struct PasskeyAssertion: Sendable, Equatable {
    package var id: String
    package var rawID: String
    package var type: String
    package var clientDataJSON: String
    package var authenticatorData: String
    package var signature: String
    package var userHandle: String?

    package init(
        id: String, rawID: String, type: String = "public-key", clientDataJSON: String, authenticatorData: String,
        signature: String, userHandle: String? = nil
    ) {
        self.id = id
        self.rawID = rawID
        self.type = type
        self.clientDataJSON = clientDataJSON
        self.authenticatorData = authenticatorData
        self.signature = signature
        self.userHandle = userHandle
    }

    /// The bytes of `rawId`, nil when it is no base64url.
    package var credentialID: [UInt8]? { Base64.decodeURLSafe(rawID) }

    /// `{"id","rawId","type","response":{"clientDataJSON","authenticatorData","signature","userHandle"}}`
    package var json: [UInt8] {
        var response = JSONObject()
        response.set("clientDataJSON", clientDataJSON)
        response.set("authenticatorData", authenticatorData)
        response.set("signature", signature)
        if let userHandle { response.set("userHandle", userHandle) } else { response.setNull("userHandle") }
        var assertion = JSONObject()
        assertion.set("id", id)
        assertion.set("rawId", rawID)
        assertion.set("type", type)
        assertion.set("response", response)
        return assertion.bytes
    }
}
