/// Why a Signal operation was refused. None of them changes a record (03-signal, section 11).
package enum SignalError: Error, Equatable, Sendable {
    /// The counter (or iteration) was consumed before: treat the message as delivered.
    case duplicateMessage(counter: UInt32)
    /// A `msg`, or a send, for an address without a usable session.
    case noSession
    /// A public key of the wrong form, or one whose agreement is zero.
    case invalidKey
    /// The one-time prekey that a pkmsg names is not there.
    case missingPreKey(id: UInt32)
    /// The signed prekey that a pkmsg names is not there.
    case missingSignedPreKey(id: UInt32)
    /// Malformed or incomplete protobuf, wrong padding; the text is for logs.
    case invalidMessage(String)
    /// The signed prekey of a bundle, or a sender-key message, is not signed by the key it should be.
    case invalidSignature
    /// The counter jumps further ahead than the limit.
    case tooFarAhead(counter: UInt32)
    /// Every candidate state refused the MAC.
    case badMAC
    /// Several states were tried and failed for different reasons.
    case noValidSession
    /// Version nibble 0 to 2.
    case legacyVersion(UInt8)
    /// Version nibble 4 or more.
    case unknownVersion(UInt8)
    /// The address shows another identity key than the stored one, and the policy is strict.
    case untrustedIdentity
    /// No record for the group and sender.
    case noSenderKey
    /// A record, but no state with the message's key id.
    case noSenderKeyState(keyID: UInt32)
    /// A stored record that cannot be decoded: treat the row as absent.
    case corruptRecord(String)

    /// The reason code of `<retry error="...">`; `nil` where no retry receipt is sent.
    package var retryReason: Int? {
        switch self {
        case .duplicateMessage: nil
        case .noSession, .noSenderKey, .noSenderKeyState: 1
        case .invalidKey: 2
        case .missingPreKey, .missingSignedPreKey: 3
        case .invalidMessage, .legacyVersion, .unknownVersion: 4
        case .invalidSignature: 5
        case .tooFarAhead: 6
        case .badMAC: 7
        case .noValidSession, .corruptRecord: 8
        case .untrustedIdentity: 12
        }
    }
}
