import Cryptography
import WhatsAppProtobuf

/// ADVSignedKeyIndexList: the phone's list of companions that are still linked (02-pairing-login, section 17.1).
///
/// Layout: 1 details (ADVKeyIndexList bytes), 2 accountSignature (64), 3 accountSignatureKey (32, optional). The list:
/// 1 rawID, 2 timestamp, 3 currentIndex, 4 validIndexes (packed or not), 5 accountType.
package struct SignedKeyIndexList: Sendable, Equatable {
    package var details: [UInt8] = []
    package var accountSignature: [UInt8] = []
    package var accountSignatureKey: [UInt8]?
    package private(set) var rawID: UInt32 = 0
    package private(set) var timestamp: UInt64 = 0
    package private(set) var currentIndex: UInt32 = 0
    package private(set) var validIndexes: Set<UInt32> = []
    package private(set) var isHosted = false

    package init(parsing bytes: [UInt8]) throws {
        var reader = ProtoReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.wireType) {
            case (1, .lengthDelimited): details = Array(field.bytes)
            case (2, .lengthDelimited): accountSignature = Array(field.bytes)
            case (3, .lengthDelimited): accountSignatureKey = Array(field.bytes)
            default: break
            }
        }
        try parseDetails()
    }

    private mutating func parseDetails() throws {
        var reader = ProtoReader(details)
        while let field = try reader.next() {
            switch (field.number, field.wireType) {
            case (1, .varint): rawID = field.uint32
            case (2, .varint): timestamp = field.uint
            case (3, .varint): currentIndex = field.uint32
            case (4, .varint): validIndexes.insert(field.uint32)
            case (4, .lengthDelimited):
                var packed = ProtoReader(field.bytes)
                while packed.remaining > 0 {
                    validIndexes.insert(UInt32(truncatingIfNeeded: try packed.varint()))
                    guard validIndexes.count <= 1024 else { throw PairingError.malformed("too many key indexes") }
                }
            case (5, .varint): isHosted = field.uint32 == 1
            default: break
            }
        }
    }

    package func isSigned(by account: PublicKey) -> Bool {
        let prefix = isHosted ? SignaturePrefix.hostedKeyIndexList : SignaturePrefix.keyIndexList
        return accountSignature.count == 64 && account.verify(signature: accountSignature, of: prefix + details)
    }

    /// Whether a companion with this key index is linked: listed, or newer than the list.
    package func admits(keyIndex: UInt32) -> Bool { validIndexes.contains(keyIndex) || keyIndex > currentIndex }
}
