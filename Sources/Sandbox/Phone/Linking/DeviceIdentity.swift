import Cryptography
import WhatsAppProtobuf

/// The protobufs by which an account vouches for its companions.
///
/// Layout: 02-pairing-login, section 7.2. All are written in canonical field order; enums of value 0 are left out.
package enum DeviceIdentity {
    /// Whose signature or HMAC it is (02-pairing-login, section 7.3).
    package enum Prefix {
        /// By the account over the details and the companion's identity.
        static let accountSignature: Bytes = [6, 0]
        /// By the companion over the details, its identity and the account's key.
        static let deviceSignature: Bytes = [6, 1]
        /// By the account over a key index list.
        static let keyIndexList: Bytes = [6, 2]
        /// As `accountSignature` for a hosted companion, and before the details in its HMAC.
        static let hostedAccountSignature: Bytes = [6, 5]
        /// As `deviceSignature` for a hosted companion; accepted, made by no client.
        static let hostedDeviceSignature: Bytes = [6, 6]
    }

    /// `ADVDeviceIdentity`: which companion is meant.
    package struct Details: Sendable, Equatable {
        /// Random per account, constant.
        package var rawID: UInt32
        /// Unix seconds.
        package var timestamp: UInt64
        /// Position of the companion in the account's key index list, never 0.
        package var keyIndex: UInt32
        package var isHosted: Bool

        package init(rawID: UInt32, timestamp: UInt64, keyIndex: UInt32, isHosted: Bool = false) {
            self.rawID = rawID
            self.timestamp = timestamp
            self.keyIndex = keyIndex
            self.isHosted = isHosted
        }

        package init(parsing bytes: Bytes) throws {
            self.init(rawID: 0, timestamp: 0, keyIndex: 0)
            var reader = ProtoReader(bytes)
            while let field = try reader.next() {
                switch field.number {
                case 1: rawID = field.uint32
                case 2: timestamp = field.uint
                case 3: keyIndex = field.uint32
                case 5: isHosted = field.uint == 1
                default: break
                }
            }
        }

        package func serialized() -> Bytes {
            var writer = ProtoWriter()
            writer.varint(1, UInt64(rawID))
            writer.varint(2, timestamp)
            writer.varint(3, UInt64(keyIndex))
            if isHosted {
                writer.varint(4, 1)
                writer.varint(5, 1)
            }
            return writer.bytes
        }
    }

    /// `ADVSignedDeviceIdentity`: details with the signatures of account and companion.
    package struct Signed: Sendable, Equatable {
        /// The serialized `ADVDeviceIdentity`, kept exactly as received.
        package var details: Bytes
        /// 32 bytes; absent in what a companion sends back while pairing.
        package var accountSignatureKey: Bytes?
        /// 64 bytes.
        package var accountSignature: Bytes
        /// 64 bytes; absent until the companion signed.
        package var deviceSignature: Bytes?

        package init(
            details: Bytes, accountSignatureKey: Bytes?, accountSignature: Bytes, deviceSignature: Bytes? = nil
        ) {
            self.details = details
            self.accountSignatureKey = accountSignatureKey
            self.accountSignature = accountSignature
            self.deviceSignature = deviceSignature
        }

        package init(parsing bytes: Bytes) throws {
            self.init(details: [], accountSignatureKey: nil, accountSignature: [])
            var reader = ProtoReader(bytes)
            while let field = try reader.next() {
                switch field.number {
                case 1: details = Bytes(field.bytes)
                case 2: accountSignatureKey = Bytes(field.bytes)
                case 3: accountSignature = Bytes(field.bytes)
                case 4: deviceSignature = Bytes(field.bytes)
                default: break
                }
            }
        }

        package func serialized() -> Bytes {
            var writer = ProtoWriter()
            writer.bytes(1, details)
            if let accountSignatureKey { writer.bytes(2, accountSignatureKey) }
            writer.bytes(3, accountSignature)
            if let deviceSignature { writer.bytes(4, deviceSignature) }
            return writer.bytes
        }

        /// Whether the account with `accountKey` vouches for the companion with `companionIdentity`.
        package func isSigned(byAccount accountKey: PublicKey, for companionIdentity: Bytes) -> Bool {
            guard let parsed = try? Details(parsing: details) else { return false }
            let prefix = parsed.isHosted ? Prefix.hostedAccountSignature : Prefix.accountSignature
            return accountKey.verify(signature: accountSignature, of: prefix + details + companionIdentity)
        }

        /// Whether the companion with `companionIdentity` has signed that it belongs to the account with `accountKey`.
        package func isSigned(byCompanion companionIdentity: PublicKey, for accountKey: Bytes) -> Bool {
            guard let deviceSignature, let parsed = try? Details(parsing: details) else { return false }
            var prefixes = [Prefix.deviceSignature]
            if parsed.isHosted { prefixes.append(Prefix.hostedDeviceSignature) }
            return prefixes.contains { prefix in
                companionIdentity.verify(
                    signature: deviceSignature, of: prefix + details + companionIdentity.raw + accountKey)
            }
        }
    }

    /// `ADVSignedDeviceIdentityHMAC`: the container that only the holder of the ADV secret can have made.
    package struct Container: Sendable, Equatable {
        /// The serialized `ADVSignedDeviceIdentity`.
        package var details: Bytes
        /// 32 bytes.
        package var hmac: Bytes
        package var isHosted: Bool

        package init(sealing signed: Signed, advSecret: Bytes, isHosted: Bool = false) {
            details = signed.serialized()
            hmac = Self.authenticate(details, advSecret: advSecret, isHosted: isHosted)
            self.isHosted = isHosted
        }

        package init(parsing bytes: Bytes) throws {
            details = []
            hmac = []
            isHosted = false
            var reader = ProtoReader(bytes)
            while let field = try reader.next() {
                switch field.number {
                case 1: details = Bytes(field.bytes)
                case 2: hmac = Bytes(field.bytes)
                case 3: isHosted = field.uint == 1
                default: break
                }
            }
        }

        package func serialized() -> Bytes {
            var writer = ProtoWriter()
            writer.bytes(1, details)
            writer.bytes(2, hmac)
            if isHosted { writer.varint(3, 1) }
            return writer.bytes
        }

        package func isAuthentic(advSecret: Bytes) -> Bool {
            constantTimeEquals(hmac, Self.authenticate(details, advSecret: advSecret, isHosted: isHosted))
        }

        private static func authenticate(_ details: Bytes, advSecret: Bytes, isHosted: Bool) -> Bytes {
            HMACSHA256.authenticate(
                (isHosted ? Prefix.hostedAccountSignature : []) + details, key: advSecret)
        }
    }
}
