import Signal
import Transport

/// A peer's retry receipt, as its sender must read it (04-message-pipeline, section 12.2).
struct RetryRequest: Sendable {
    var messageID: String
    /// The device that could not read.
    var requester: JID
    /// `from` and `recipient` as on the wire.
    var from: JID
    var recipient: JID?
    var count: Int
    /// `t` of the original, copied into the resend.
    var timestamp: String?
    var registrationID: UInt32?
    var bundle: PreKeyBundle?

    init?(_ stanza: Stanza) {
        guard let retry = stanza.child("retry"), let from = stanza.from, let id = retry.id ?? stanza.id,
            MessageID.isStorable(id), let count = retry.int("count"), count >= 1
        else { return nil }
        let requester = (stanza.jid("participant") ?? from)
        guard requester.isPerson else { return nil }
        messageID = id
        self.from = from
        self.requester = requester
        self.count = count
        recipient = stanza.jid("recipient")
        timestamp = retry["t"]
        let registration = stanza.child("registration")
        registrationID = registration?.number(bytes: 4)
        bundle = stanza.child("keys").flatMap {
            PreKeyBundle(node: $0, device: requester, registration: registration)
        }
    }

    /// What must become of the session before the resend.
    enum SessionChange: Sendable, Equatable {
        case keep
        case build
        case fetch
    }

    /// The table of 04, section 12.2, step 5.
    static func sessionChange(
        hasBundle: Bool, storedRegistrationID: UInt32?, receivedRegistrationID: UInt32?, hasSession: Bool,
        isBaseKeyUnchanged: Bool, count: Int, secondsSinceRecreation: Int64? = 0
    ) -> SessionChange {
        if hasBundle { return .build }
        if !hasSession { return .fetch }
        if let stored = storedRegistrationID, let received = receivedRegistrationID, stored != received {
            return .fetch
        }
        // Never recreated here counts as long ago.
        if count >= 2, secondsSinceRecreation.map({ $0 > 3600 }) ?? true { return .fetch }
        if count > 2, isBaseKeyUnchanged { return .fetch }
        return .keep
    }
}
