/// What a call on a device session can fail with. Texts and HTTP statuses: 10-rest-api, sections 5.3 and 5.4.
package enum SessionError: Error, Sendable, Equatable {
    // State of the session
    /// The socket is down; a reconnect is pending.
    case notConnected
    /// The socket is open, the device is not logged in (pairing runs).
    case notLoggedIn
    /// No credentials: never paired or logged out.
    case notPaired
    case alreadyPaired
    /// Stopped for good, see the reason.
    case ended(SessionEnd)
    /// The session is shutting down.
    case stopping

    // Answers of the server
    /// No answer to an IQ within its time-out.
    case timedOut
    /// The connection went while an answer was awaited.
    case disconnected
    /// `<iq type="error">`.
    case serverRefused(code: Int, text: String)
    /// An answer that does not have the expected form.
    case malformedAnswer(String)

    // Sending
    /// No ack within the time-out. The message may have gone out and its row stays pending.
    case sendTimedOut(messageID: String)
    /// A queued message did not leave within its time.
    case sendExpired(messageID: String)
    /// Ack with an error code (04, section 11.3).
    case sendRejected(code: Int, messageID: String)
    case recipientNotRegistered
    /// No device of the recipient could be encrypted to.
    case recipientUnreachable
    case invalidRecipient(String)
    /// The id that the caller chose is that of a send under way.
    case messageIDInUse
    /// What is said of a message of a group needs its author.
    case senderRequired
    /// The quoted message is not stored, and its author was not named.
    case messageNotStored
    case notInGroup
    case groupNotFound
    /// 64 sends wait on this device already.
    case tooManyWaiting
    /// The device's queue holds as much as it may.
    case queueFull
    case storageUnavailable

    // Pairing (02, section 21)
    case invalidPhone(String)
    case invalidCode
    /// companion_hello 400.
    case displayOrNumberRejected
    case rateLimited(retryAfter: Int?)
    case pairingTimedOut
    case pairingInterrupted
    /// HMAC or signature mismatch.
    case pairingForged(String)
    /// Refused by the pairing policy of the host.
    case pairingRejected(String)
    case clientOutdated
    /// A passkey step is under way: no QR or code is on show.
    case passkeyRequired
    /// No assertion, or no confirmation, is awaited.
    case passkeyNotPending
    /// `rawId` is no base64url.
    case invalidAssertion
    /// The server did not take the assertion; another one may be sent.
    case assertionRefused
    case scannedWithoutMultidevice
}
