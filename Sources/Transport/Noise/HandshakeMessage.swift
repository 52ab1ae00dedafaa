import Cryptography
import WhatsAppProtobuf

/// The protobuf around the handshake's parts (01-transport, section 5.3): 2 clientHello, 3 serverHello, 4 clientFinish, each
/// with 1 ephemeral, 2 static, 3 payload, where clientFinish has 1 static, 2 payload. Fields of the extended and
/// post-quantum modes are skipped.
package enum HandshakeMessage: Sendable, Equatable {
    case clientHello(ephemeral: Bytes)
    /// A clientHello that resumes (section 5.4): the client's static key and payload come at once.
    case resumingHello(ephemeral: Bytes, static: Bytes, payload: Bytes)
    case serverHello(ephemeral: Bytes, static: Bytes, payload: Bytes)
    /// A serverHello without static key: the resumption was accepted.
    case resumedHello(ephemeral: Bytes, payload: Bytes)
    case clientFinish(static: Bytes, payload: Bytes)

    private static let clientHelloField = 2
    private static let serverHelloField = 3
    private static let clientFinishField = 4

    /// Throws ``NoiseError/malformedMessage`` for what is not a handshake message, ``NoiseError/missingPart`` for one
    /// without a part that its kind needs.
    package init(_ bytes: Bytes) throws(NoiseError) {
        var body: (field: Int, parts: [Int: Bytes])?
        do {
            var reader = ProtoReader(bytes)
            while let field = try reader.next() {
                guard field.wireType == .lengthDelimited, (2...4).contains(field.number) else { continue }
                body = (field.number, try HandshakeMessage.parts(field.bytes))
            }
        } catch {
            throw .malformedMessage
        }
        guard let body else { throw .malformedMessage }
        switch body.field {
        case HandshakeMessage.clientHelloField:
            guard let ephemeral = body.parts[1] else { throw .missingPart }
            if let key = body.parts[2], let payload = body.parts[3] {
                self = .resumingHello(ephemeral: ephemeral, static: key, payload: payload)
            } else {
                self = .clientHello(ephemeral: ephemeral)
            }
        case HandshakeMessage.serverHelloField:
            guard let ephemeral = body.parts[1], let payload = body.parts[3] else { throw .missingPart }
            if let key = body.parts[2] {
                self = .serverHello(ephemeral: ephemeral, static: key, payload: payload)
            } else {
                self = .resumedHello(ephemeral: ephemeral, payload: payload)
            }
        default:
            guard let key = body.parts[1], let payload = body.parts[2] else { throw .missingPart }
            self = .clientFinish(static: key, payload: payload)
        }
    }

    package var serialized: Bytes {
        var writer = ProtoWriter()
        switch self {
        case .clientHello(let ephemeral):
            writer.message(HandshakeMessage.clientHelloField) { $0.bytes(1, ephemeral) }
        case .resumingHello(let ephemeral, let key, let payload):
            writer.message(HandshakeMessage.clientHelloField) {
                $0.bytes(1, ephemeral)
                $0.bytes(2, key)
                $0.bytes(3, payload)
            }
        case .resumedHello(let ephemeral, let payload):
            writer.message(HandshakeMessage.serverHelloField) {
                $0.bytes(1, ephemeral)
                $0.bytes(3, payload)
            }
        case .serverHello(let ephemeral, let key, let payload):
            writer.message(HandshakeMessage.serverHelloField) {
                $0.bytes(1, ephemeral)
                $0.bytes(2, key)
                $0.bytes(3, payload)
            }
        case .clientFinish(let key, let payload):
            writer.message(HandshakeMessage.clientFinishField) {
                $0.bytes(1, key)
                $0.bytes(2, payload)
            }
        }
        return writer.bytes
    }

    private static func parts(_ bytes: ArraySlice<UInt8>) throws(ProtoError) -> [Int: Bytes] {
        var parts: [Int: Bytes] = [:]
        var reader = ProtoReader(bytes)
        while let field = try reader.next() {
            guard field.wireType == .lengthDelimited, (1...3).contains(field.number) else { continue }
            parts[field.number] = Bytes(field.bytes)
        }
        return parts
    }
}
