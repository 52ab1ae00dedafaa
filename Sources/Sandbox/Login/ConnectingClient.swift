import Cryptography
import WhatsAppProtobuf

/// Who is connecting, read from the `ClientPayload` of the handshake (02, section 3).
struct ConnectingClient: Sendable, Equatable {
    enum Failure: Error, Equatable { case malformed(String) }

    /// `username` (1): the phone number.
    var username: UInt64?
    /// `device` (18).
    var device: UInt32?
    var passive = false
    /// `userAgent` (5) / `appVersion` (2) / first three numbers.
    var version: (UInt32, UInt32, UInt32) = (0, 0, 0)
    /// `devicePairingData` (19), serialized.
    var pairingData: Bytes?

    init(payload: Bytes) throws {
        var reader = ProtoReader(payload)
        while let field = try reader.next() {
            switch field.number {
            case 1: username = field.uint
            case 3: passive = field.bool
            case 5: version = try Self.version(userAgent: field.bytes)
            case 18: device = field.uint32
            case 19: pairingData = Bytes(field.bytes)
            default: break
            }
        }
    }

    private static func version(userAgent: ArraySlice<UInt8>) throws -> (UInt32, UInt32, UInt32) {
        var version: (UInt32, UInt32, UInt32) = (0, 0, 0)
        var reader = ProtoReader(userAgent)
        while let field = try reader.next() {
            guard field.number == 2, field.wireType == .lengthDelimited else { continue }
            var numbers = ProtoReader(field.bytes)
            while let number = try numbers.next() {
                switch number.number {
                case 1: version.0 = number.uint32
                case 2: version.1 = number.uint32
                case 3: version.2 = number.uint32
                default: break
                }
            }
        }
        return version
    }

    static func == (left: ConnectingClient, right: ConnectingClient) -> Bool {
        left.username == right.username && left.device == right.device && left.passive == right.passive
            && left.version == right.version && left.pairingData == right.pairingData
    }
}

extension PairingSession.Registration {
    /// Reads and checks `devicePairingData`: lengths, and the signature of the signed prekey by the identity
    /// (02, section 3.3). Throws on any fault.
    init(pairingData: Bytes, revision: UInt32) throws {
        var fields: [Int: Bytes] = [:]
        var reader = ProtoReader(pairingData)
        while let field = try reader.next() { fields[field.number] = Bytes(field.bytes) }
        func field(_ number: Int, _ name: String, count: Int) throws -> Bytes {
            guard let bytes = fields[number], bytes.count == count else {
                throw ConnectingClient.Failure.malformed("\(name) is not \(count) bytes")
            }
            return bytes
        }
        let keyType = try field(2, "eKeytype", count: 1)
        guard keyType == [PublicKey.typeByte] else { throw ConnectingClient.Failure.malformed("eKeytype is not 5") }
        let identity = try PublicKey(raw: field(3, "eIdent", count: 32))
        let preKey = Device.SignedPreKey(
            id: BigEndian.number(try field(4, "eSkeyID", count: 3)),
            key: try PublicKey(raw: field(5, "eSkeyVal", count: 32)), signature: try field(6, "eSkeySig", count: 64))
        guard identity.verify(signature: preKey.signature, of: preKey.key.serialized) else {
            throw ConnectingClient.Failure.malformed("the signed prekey's signature does not verify")
        }
        self.init(
            registrationID: BigEndian.number(try field(1, "eRegid", count: 4)), identityKey: identity,
            signedPreKey: preKey, deviceProps: fields[8] ?? [], revision: revision)
    }
}

/// Numbers of three and four bytes as keys carry them.
enum BigEndian {
    static func number(_ bytes: some Collection<UInt8>) -> UInt32 {
        bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Three bytes.
    static func id(_ value: UInt32) -> Bytes {
        [UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
    }

    /// Four bytes.
    static func registration(_ value: UInt32) -> Bytes { [UInt8(value >> 24)] + id(value) }
}
