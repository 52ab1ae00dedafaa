import HTTPTypes
import Hummingbird

/// A refusal of the control API: `{"error":{"code":…,"message":…}}` with one status (09-sandbox-server, section 24).
package struct ControlError: Error, Equatable {
    package let status: Int
    /// A word for programs.
    package let code: String
    /// A sentence for people.
    package let message: String

    package init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    static func invalid(_ message: String) -> ControlError { ControlError(422, "invalid_argument", message) }
    static func missing(_ name: String) -> ControlError { ControlError(422, "missing_member", "\(name) is needed") }
    static func notFound(_ what: String) -> ControlError { ControlError(404, "not_found", "there is no such \(what)") }
    static func notImplemented(_ what: String) -> ControlError {
        ControlError(501, "not_implemented", "\(what) is not simulated by this sandbox yet")
    }

    /// The refusal that stands for an error of the sandbox's other parts.
    init(_ error: any Error) {
        switch error {
        case let error as ControlError: self = error
        case let error as WorldError: self = Self.of(error)
        case let error as PhoneError: self = Self.of(error)
        case let error as LinkingError: self = Self.of(error)
        case let error as FaultEffect.ParsingError: self = .invalid(error.description)
        case let error as StanzaText.ParsingError: self = .invalid(error.description)
        case let error as HTTPError:
            self.init(
                error.status.code, error.status == .contentTooLarge ? "body_too_large" : "bad_request",
                error.body ?? error.status.reasonPhrase)
        default: self.init(500, "internal", "the sandbox failed: \(error)")
        }
    }

    private static func of(_ error: WorldError) -> ControlError {
        switch error {
        case .invalidPhone:
            ControlError(422, error.code, "a phone number has 5 to 15 digits and does not begin with 0")
        case .accountExists: ControlError(409, error.code, "the account exists already")
        case .noSuchAccount: ControlError(404, error.code, "there is no such account")
        case .noSuchDevice: ControlError(404, error.code, "the account has no such device")
        case .noSuchGroup: ControlError(404, error.code, "there is no such group")
        case .noSuchPairing: ControlError(404, error.code, "there is no such pairing")
        case .notAParticipant: ControlError(409, error.code, "the account is not in the group")
        case .tooManyCompanions: ControlError(409, error.code, "the account has as many companions as it may have")
        case .pairingState(let state): ControlError(409, error.code, "the pairing is in state \(state)")
        case .invalidArgument(let reason): ControlError(422, error.code, reason)
        }
    }

    private static func of(_ error: PhoneError) -> ControlError {
        switch error {
        case .unknownRecipient(let jid): ControlError(404, "no_such_recipient", "\(jid) is not on WhatsApp")
        case .unknownGroup(let jid): ControlError(404, "no_such_group", "there is no group \(jid)")
        case .unknownMessage(let id): ControlError(404, "no_such_message", "the phone does not know a message \(id)")
        case .unsupportedDestination(let jid): .notImplemented("sending to \(jid)")
        case .encryptionFailed(let reason): ControlError(409, "encryption_failed", reason)
        }
    }

    private static func of(_ error: LinkingError) -> ControlError {
        switch error {
        case .unreadableQR(let reason): ControlError(422, "unreadable_qr", "this is no linking QR text: \(reason)")
        case .unknownReference:
            ControlError(404, "unknown_ref", "no open registration shows this QR code; it may have expired")
        case .keyMismatch(let key):
            ControlError(409, "key_mismatch", "the \(key) is not the one of the connection that shows the QR code")
        case .tooManyCompanions: of(WorldError.tooManyCompanions)
        case .unreadableCode: ControlError(422, "unreadable_code", "a code has eight characters")
        case .noCodeExpected: ControlError(409, "no_code_expected", "no companion waits for a code of this account")
        case .cryptography(let reason): ControlError(422, "cryptography", reason)
        }
    }

    var response: Response {
        ControlAnswer.json(
            ["error": ["code": .string(code), "message": .string(message)]], status: status
        ).response
    }
}

/// What a call of the control API answers.
package enum ControlAnswer: Sendable {
    case json(JSONValue, status: Int)
    case text(String, contentType: String)
    case bytes([UInt8])
    /// Written piece by piece.
    case stream(ResponseBody, contentType: String)

    static func json(_ value: JSONValue) -> ControlAnswer { .json(value, status: 200) }

    var response: Response {
        switch self {
        case .json(let value, let status):
            Self.response(HTTPResponse.Status(code: status), "application/json", ByteBuffer(string: value.text))
        case .text(let text, let contentType): Self.response(.ok, contentType, ByteBuffer(string: text))
        case .bytes(let bytes): Self.response(.ok, "application/octet-stream", ByteBuffer(bytes: bytes))
        case .stream(let body, let contentType):
            Response(
                status: .ok, headers: [.contentType: contentType, .cacheControl: "no-store"], body: body)
        }
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: ByteBuffer) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: body))
    }
}
