import Cryptography
import Logging
import Transport

/// Everything a session is told about its device and its surroundings.
package struct DeviceSessionConfiguration: Sendable {
    /// Internal number of the device and the epoch of the lease it is owned under (14-storage, sections 3 and 7).
    package var did: Int64
    package var epoch: Int64
    /// UUID of the device, for logs.
    package var deviceID: String

    package var clientVersion: ClientVersion
    package var companion: CompanionProperties
    /// Shown on the phone in code pairing; odd names are refused by the server (02, section 20).
    package var pairingDisplayName = "Chrome (Linux)"

    /// Leaves out the proof that lets WhatsApp do without a comparison of codes in a link by passkey (02, section 10).
    package var comparesPasskeyCodes = false

    /// Own name, platform and business name as stored with the device.
    package var pushName = ""
    package var platform = ""
    package var businessName = ""
    package var proxyURL: String?
    /// How an earlier session of the device ended, while that holds: this one connects when it is told to.
    package var earlierEnd: SessionEnd?
    /// The connection stays passive after login.
    package var isPassive = false
    /// Delivery receipts are sent as if the device were in the foreground.
    package var forcesActiveReceipts = false
    /// Presence `available` after login instead of `unavailable`.
    package var appearsOnline = false
    /// False keeps texts and contents out of the message rows (`MESSAGE_STORE_CONTENT=meta`).
    package var storesContent = true
    /// Sends our group key with every message, as whatsmeow does, instead of once per device.
    package var alwaysDistributesSenderKeys = false
    /// Sends carry a token by which their recipients can prove to WhatsApp what they report (05, section 2.5).
    package var attachesReportingTokens = false

    /// Messages that the durable queue takes.
    package var maximumQueuedSends = 1000

    /// False from the moment the node may no longer trust its leases: nothing is dialed and nothing leaves on a socket
    /// then (14-storage, section 7.2).
    package var holdsLease: @Sendable () -> Bool = { true }

    package var timeouts = SessionTimeouts()
    package var random: any RandomSource
    package var clock: any WallClock
    /// Waits so many milliseconds while somebody seems to type. Throws `CancellationError`.
    package var pause: @Sendable (_ milliseconds: Int64) async throws -> Void = {
        try await Task.sleep(for: .milliseconds($0))
    }
    package var logger: Logger

    package init(
        did: Int64, epoch: Int64, deviceID: String, clientVersion: ClientVersion, companion: CompanionProperties,
        random: any RandomSource = SystemRandom(), clock: any WallClock = SystemClock(),
        logger: Logger = Logger(label: "switchboard.session")
    ) {
        self.did = did
        self.epoch = epoch
        self.deviceID = deviceID
        self.clientVersion = clientVersion
        self.companion = companion
        self.random = random
        self.clock = clock
        self.logger = logger
    }
}

/// Waits of a session, in seconds (01, section 28; 04, section 24).
package struct SessionTimeouts: Sendable, Equatable {
    /// Answer to an IQ.
    package var query: Int64 = 75
    /// Login after a lost connection, for the requests that wait to be repeated on the next.
    package var repetition: Int64 = 5
    /// Server ack of a message, for the caller; the row waits on.
    package var send: Int64 = 75
    /// Ack of a message that was written: after that the connection is made anew (15-peers-and-users, P3).
    package var ack: Int64 = 60
    /// How long an unacknowledged send is repeated after reconnects.
    package var resend: Int64 = 300
    /// `<success>` or `<failure>` after the handshake.
    package var login: Int64 = 60
    /// `pair-device`, for a caller that wants a QR or a code.
    package var pairDevice: Int64 = 10
    /// Login, for a caller of `reconnect`.
    package var reconnect: Int64 = 20
    /// 515 after pairing.
    package var restart: Int64 = 30
    /// Silence of the server's queue after which its end marker is not waited for.
    package var offlineSilence: Int64 = 60
    /// Milliseconds between pings, drawn anew each time, and those in which one must be answered.
    package var keepAliveInterval: ClosedRange<Int64> = 20_000...29_999
    package var keepAliveDeadline: Int64 = 10_000
    /// Silence after which a connection whose pings go unanswered is given up.
    package var keepAliveSilence: Int64 = 180
    /// Records unused for so long leave memory.
    package var idleRecords: Int64 = 600
    /// Unlink request.
    package var unlink: Int64 = 30

    package init() {}
}

/// What a session asks of and tells to whoever runs it.
package protocol SessionHost: Sendable {
    /// The state changed. Called on the session's loop; must not block.
    func sessionChanged(did: Int64, state: ConnectionState)
    /// Whether this number may be paired here (quota, tenant rules); nil allows, a text refuses.
    func refusal(ofPairing did: Int64, jid: String, businessName: String) async -> String?
    /// The version that connections are to announce, as known now; nil keeps what the session was made with.
    var clientVersion: ClientVersion? { get }
    /// A version newer than `current`, after a forced refresh; nil when there is none.
    func newerVersion(than current: ClientVersion) async -> ClientVersion?
    /// WhatsApp says that the version will not be taken for long. Must not block.
    func versionExpires()
}

extension SessionHost {
    package func sessionChanged(did: Int64, state: ConnectionState) {}
    package func refusal(ofPairing did: Int64, jid: String, businessName: String) async -> String? { nil }
    package var clientVersion: ClientVersion? { nil }
    package func versionExpires() {}
    package func newerVersion(than current: ClientVersion) async -> ClientVersion? { nil }
}
