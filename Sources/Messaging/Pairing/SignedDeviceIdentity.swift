import Cryptography
import WhatsAppProtobuf

/// Prefixes of what account and devices sign (02-pairing-login, section 7.3).
enum SignaturePrefix {
    static let account: [UInt8] = [6, 0]
    static let device: [UInt8] = [6, 1]
    static let keyIndexList: [UInt8] = [6, 2]
    static let hostedAccount: [UInt8] = [6, 5]
    static let hostedDevice: [UInt8] = [6, 6]
    static let hostedKeyIndexList: [UInt8] = [6, 7]
}

/// ADVSignedDeviceIdentity: proof that an account accepted a device (02-pairing-login, section 7.2).
///
/// Layout: 1 details (ADVDeviceIdentity bytes, kept as received), 2 accountSignatureKey (32), 3 accountSignature (64),
/// 4 deviceSignature (64). The phone sends it without field 4; the reply to the phone leaves out field 2; messages carry
/// all four.
package struct SignedDeviceIdentity: Sendable, Equatable {
    package var details: [UInt8]
    package var accountSignatureKey: [UInt8]?
    package var accountSignature: [UInt8]
    package var deviceSignature: [UInt8]?

    package init(
        details: [UInt8], accountSignatureKey: [UInt8]?, accountSignature: [UInt8], deviceSignature: [UInt8]? = nil
    ) {
        self.details = details
        self.accountSignatureKey = accountSignatureKey
        self.accountSignature = accountSignature
        self.deviceSignature = deviceSignature
    }

    package init(_ account: AccountIdentity) {
        self.init(
            details: account.details, accountSignatureKey: account.accountSignatureKey,
            accountSignature: account.accountSignature, deviceSignature: account.deviceSignature)
    }

    /// Throws `ProtoError` for bytes that are no protobuf.
    package init(parsing bytes: [UInt8]) throws {
        self.init(details: [], accountSignatureKey: nil, accountSignature: [])
        var reader = ProtoReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.wireType) {
            case (1, .lengthDelimited): details = Array(field.bytes)
            case (2, .lengthDelimited): accountSignatureKey = Array(field.bytes)
            case (3, .lengthDelimited): accountSignature = Array(field.bytes)
            case (4, .lengthDelimited): deviceSignature = Array(field.bytes)
            default: break
            }
        }
    }

    package func serialized(withAccountKey: Bool = true) -> [UInt8] {
        var writer = ProtoWriter(capacity: 192)
        writer.bytes(1, details)
        if withAccountKey, let accountSignatureKey { writer.bytes(2, accountSignatureKey) }
        writer.bytes(3, accountSignature)
        if let deviceSignature { writer.bytes(4, deviceSignature) }
        return writer.bytes
    }

    /// What `details` says.
    package func identityDetails() throws -> DeviceIdentityDetails { try DeviceIdentityDetails(parsing: details) }

    /// Whether the account key signed this device identity key. `accountKey` is used when the blob carries none.
    package func isSignedByAccount(device identity: [UInt8], accountKey: [UInt8]? = nil) -> Bool {
        guard let key = accountSignatureKey ?? accountKey, key.count == 32, accountSignature.count == 64,
            let account = try? PublicKey(raw: key), let details = try? identityDetails()
        else { return false }
        let prefix = details.isHosted ? SignaturePrefix.hostedAccount : SignaturePrefix.account
        return account.verify(signature: accountSignature, of: prefix + self.details + identity)
    }

    /// Whether the device signed it in return; hosted devices may use either prefix (02, section 7.3).
    package func isSignedByDevice(device identity: [UInt8], accountKey: [UInt8]? = nil) -> Bool {
        guard let accountKey = accountSignatureKey ?? accountKey, let signature = deviceSignature,
            signature.count == 64, let device = try? PublicKey(raw: identity), let details = try? identityDetails()
        else { return false }
        let message = self.details + identity + accountKey
        if device.verify(signature: signature, of: SignaturePrefix.device + message) { return true }
        return details.isHosted && device.verify(signature: signature, of: SignaturePrefix.hostedDevice + message)
    }

}

/// ADVDeviceIdentity. Layout: 1 rawID, 2 timestamp (Unix s), 3 keyIndex, 4 accountType, 5 deviceType (1 = hosted).
package struct DeviceIdentityDetails: Sendable, Equatable {
    package var rawID: UInt32 = 0
    package var timestamp: UInt64 = 0
    package var keyIndex: UInt32 = 0
    package var isHosted = false

    package init(parsing bytes: [UInt8]) throws {
        var reader = ProtoReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.wireType) {
            case (1, .varint): rawID = field.uint32
            case (2, .varint): timestamp = field.uint
            case (3, .varint): keyIndex = field.uint32
            case (5, .varint): isHosted = field.uint32 == 1
            default: break
            }
        }
    }
}

/// ADVSignedDeviceIdentityHMAC: what pair-success carries. Layout: 1 details (ADVSignedDeviceIdentity bytes), 2 HMAC (32),
/// 3 accountType (1 = hosted).
package struct SignedDeviceIdentityContainer: Sendable, Equatable {
    package var details: [UInt8] = []
    package var hmac: [UInt8] = []
    package var isHosted = false

    package init(parsing bytes: [UInt8]) throws {
        var reader = ProtoReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.wireType) {
            case (1, .lengthDelimited): details = Array(field.bytes)
            case (2, .lengthDelimited): hmac = Array(field.bytes)
            case (3, .varint): isHosted = field.uint32 == 1
            default: break
            }
        }
    }

    /// HMAC-SHA-256 under the ADV secret, in constant time; hosted accounts prefix `06 05`.
    package func isAuthentic(advSecret: SecretBytes) -> Bool {
        let prefix = isHosted ? SignaturePrefix.hostedAccount : []
        return constantTimeEquals(HMACSHA256.authenticate(prefix + details, key: advSecret), hmac)
    }
}
