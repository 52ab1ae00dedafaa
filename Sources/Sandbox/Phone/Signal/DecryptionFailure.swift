import Signal

/// Why a ciphertext did not open.
enum DecryptionFailure: Error, Equatable {
    /// Handled before: receipts again, nothing else.
    case duplicate
    /// No ciphertext, wrong padding, no protobuf, unknown type.
    case malformed
    case signal(SignalError)
    case other(String)

    init(_ error: any Error) {
        switch error {
        case SignalError.duplicateMessage: self = .duplicate
        case let error as SignalError: self = .signal(error)
        case let error as DecryptionFailure: self = error
        default: self = .other(String(describing: error))
        }
    }

    /// `error` of `<retry>` (03-signal, section 11).
    var reasonCode: Int {
        switch self {
        case .duplicate, .other: 0
        case .malformed: 4
        case .signal(let error): error.retryReason ?? 0
        }
    }

    /// The word of the event `phone.decrypt_failed`.
    var word: String {
        switch self {
        case .duplicate: "duplicate"
        case .malformed: "malformed"
        case .other(let reason): reason
        case .signal(let error):
            switch error {
            case .duplicateMessage: "duplicate"
            case .noSession: "no_session"
            case .invalidKey: "invalid_key"
            case .missingPreKey: "missing_prekey"
            case .missingSignedPreKey: "missing_signed_prekey"
            case .invalidMessage: "invalid_message"
            case .invalidSignature: "invalid_signature"
            case .tooFarAhead: "too_far_ahead"
            case .badMAC: "bad_mac"
            case .noValidSession: "no_valid_session"
            case .legacyVersion, .unknownVersion: "wrong_version"
            case .untrustedIdentity: "untrusted_identity"
            case .noSenderKey: "no_sender_key"
            case .noSenderKeyState: "no_sender_key_state"
            case .corruptRecord: "corrupt_record"
            }
        }
    }
}
