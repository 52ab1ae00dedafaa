/// Where a device's connection stands: the snapshot that status endpoints show (10-rest-api, section 6; 01, section 21.1).
package struct ConnectionState: Sendable, Equatable {
    package enum Phase: String, Sendable {
        /// Not started, or stopped by us.
        case idle
        /// Dialing and shaking hands.
        case connecting
        /// Socket open on a registration connection: a QR or a code may be shown.
        case registering
        /// Login payload sent, `<success>` awaited.
        case authenticating
        /// `<success>` received, post-login steps running.
        case settling
        /// Messages can be sent.
        case ready
        /// Connection lost, a timer will dial again.
        case waiting
        /// Ended for a reason that no automatic attempt cures: see `end`.
        case stopped
    }

    package var phase: Phase = .idle
    /// What linking waits for, while `phase == .registering`.
    package var pairing: PairingStep?
    /// Own addresses with device, once paired.
    package var jid: String?
    package var lid: String?
    package var pushName = ""
    package var platform = ""
    package var businessName = ""
    /// Why the connection stopped, while `phase == .stopped`.
    package var end: SessionEnd?
    /// What the last lost connection died of, for people: "socket closed", "no answer to pings".
    package var lastError = ""
    /// While waiting: when the next attempt starts and how many failed in a row.
    package var retryAt: Timestamp?
    package var failedAttempts = 0
    /// A ping was not answered, nor one after it: the connection may be dead (13-configuration, section 9).
    package var isSilent = false
    /// When the running or last logged-in connection became ready.
    package var readySince: Timestamp?
    /// One-time prekeys that the server holds, as it last said.
    package var preKeysLeft: Int?

    package init() {}

    /// The socket is open, the handshake done, and the last ping was answered.
    package var isConnected: Bool {
        switch phase {
        case .registering, .authenticating, .settling, .ready: !isSilent
        case .idle, .connecting, .waiting, .stopped: false
        }
    }

    /// `lastError` of a registration that nobody finished in time.
    package static let pairingTimedOut = "pairing timed out"

    /// The server accepted the login on this connection, and answers.
    package var isLoggedIn: Bool { (phase == .settling || phase == .ready) && !isSilent }
    package var isPaired: Bool { jid != nil }
}

/// What a running registration waits for.
package enum PairingStep: Sendable, Equatable {
    /// A phone that scans the QR.
    case qr
    /// A code that is typed into the phone; the QR is on show as well.
    case code
    case passkey(PasskeyState)

    /// Word for `state_reason` (12-device-scoping-api, section 6.1).
    package var reason: String {
        switch self {
        case .qr: "pairing_qr"
        case .code: "pairing_code"
        case .passkey: "passkey_required"
        }
    }
}

/// A permanent end of a device's connection: nothing dials again until somebody asks (02, section 19).
package enum SessionEnd: Sendable, Hashable {
    /// Unlinked by the phone or the server; credentials and Signal state were erased.
    case loggedOut(code: Int, text: String, onConnect: Bool)
    /// Unlinked through us.
    case unlinked
    /// The same device connected elsewhere.
    case replaced
    /// Login refused with 402; `code` is the ban reason, 101…106.
    case banned(code: Int, until: Timestamp?)
    /// Login refused with 405.
    case clientOutdated
    /// Login refused with another failure code that repeating does not cure.
    case refused(code: Int, text: String)
    /// The lease went to another node; what waited was destroyed.
    case leaseLost
    /// The store refuses this device's rows.
    case storage(String)

    /// Whether credentials and Signal state go with it.
    var erases: Bool {
        switch self {
        case .loggedOut, .unlinked: true
        case .replaced, .banned, .clientOutdated, .refused, .leaseLost, .storage: false
        }
    }

    /// Whether time or a newer client version ends it, without anybody's doing.
    package var passes: Bool {
        switch self {
        case .banned, .clientOutdated: true
        case .loggedOut, .unlinked, .replaced, .refused, .leaseLost, .storage: false
        }
    }

    /// Short word for the device row's `held_reason` and for logs.
    package var word: String {
        switch self {
        case .loggedOut: "logged_out"
        case .unlinked: "unlinked"
        case .replaced: "stream_replaced"
        case .banned: "temporarily_banned"
        case .clientOutdated: "client_outdated"
        case .refused: "connect_failure"
        case .leaseLost: "lease_elsewhere"
        case .storage: "storage_error"
        }
    }
}
