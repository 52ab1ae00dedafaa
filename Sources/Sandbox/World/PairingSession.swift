import Cryptography
import Transport

/// One registration connection on its way to becoming a companion (09, sections 6 to 8).
@SandboxActor
package final class PairingSession {
    package enum State: Sendable, Equatable {
        /// Refs are shown; nobody scanned yet.
        case waiting
        /// The phone answered a code with `primary_hello`.
        case codeEntered
        /// A passkey was demanded of the companion (9).
        case passkeyRequested
        /// Phone and companion show a code.
        case passkeyCode
        /// `pair-success` was sent; the client's signature is due.
        case signed
        case completed
        case failed(String)
        case expired

        package var isOver: Bool {
            switch self {
            case .completed, .failed, .expired: true
            case .waiting, .codeEntered, .passkeyRequested, .passkeyCode, .signed: false
            }
        }

        package var word: String {
            switch self {
            case .waiting: "waiting"
            case .codeEntered: "code_entered"
            case .passkeyRequested: "passkey_requested"
            case .passkeyCode: "passkey_code"
            case .signed: "signed"
            case .completed: "paired"
            case .failed(let reason): reason
            case .expired: "expired"
            }
        }
    }

    /// What the registration payload said, checked (02, section 3.3).
    package struct Registration: Sendable {
        package let registrationID: UInt32
        package let identityKey: PublicKey
        package let signedPreKey: Device.SignedPreKey
        /// Serialized `DeviceProps`.
        package let deviceProps: Bytes
        /// Third number of the client version.
        package let revision: UInt32
    }

    /// A code pairing that the companion started with `companion_hello` (section 8).
    package struct LinkCode: Sendable {
        package let phone: String
        /// salt 32 ‖ iv 16 ‖ ciphertext 32.
        package let wrappedEphemeral: Bytes
        package let ref: Bytes
        /// For example `Chrome (Linux)`.
        package let platformDisplay: String
        package let shouldNotify: Bool
        /// World time, milliseconds.
        package let started: Int64
    }

    /// Number of the session, unique per world and start.
    package let id: Int
    package let noiseKey: PublicKey
    package let registration: Registration
    package let started: Int64
    package internal(set) var state = State.waiting
    package internal(set) var refs: [String] = []
    /// World time, milliseconds, after which the session ends; `nil` while refs are endless.
    package internal(set) var expires: Int64?
    package internal(set) var linkCode: LinkCode?
    /// Set while a passkey is demanded.
    var passkey: PasskeyExchange?
    package internal(set) weak var connection: ClientConnection?

    /// Set with ``State/signed``: what was sent and what becomes the device.
    struct Offer {
        let account: Account
        let deviceID: UInt16
        let keyIndex: UInt32
        let approval: CompanionApproval
        /// Serialized `ADVSignedKeyIndexList` that already contains the new index, and its time in seconds.
        let keyIndexList: (bytes: Bytes, time: Int64)
        let iqID: String
    }
    var offer: Offer?
    var timers: [SandboxClock.TimerID] = []
    /// Called once when the session ends.
    var completions: [@SandboxActor (State) -> Void] = []

    init(id: Int, noiseKey: PublicKey, registration: Registration, started: Int64, connection: ClientConnection) {
        self.id = id
        self.noiseKey = noiseKey
        self.registration = registration
        self.started = started
        self.connection = connection
    }

    /// Number of the registration connection.
    package var connectionID: Int? { connection?.id }
}
