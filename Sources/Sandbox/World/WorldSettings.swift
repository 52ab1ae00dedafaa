/// The switches of a world, readable and changeable while it runs (`GET`/`PATCH /v1/config`). Defaults are what 09 and 04
/// section 22 call the default; durations are in milliseconds unless the name says otherwise.
package struct WorldSettings: Sendable, Equatable, Codable {
    package enum UnknownIQ: String, Sendable, Codable { case error, result, ignore }
    package enum AddressSpace: String, Sendable, Codable { case asSent = "as_sent", lid, pn }
    package enum DeviceNotices: String, Sendable, Codable { case subscribers, all, none }

    // Listener (section 4). Socket times are real time whatever the world's clock.
    package var handshakeTimeout = 20_000
    package var idleTimeout = 180_000
    /// Longest wait for the client's Close after a `failure` or `stream:error`; never below 1 000 (22.3).
    package var closeDelay = 1_500
    package var compressAbove: Int?

    // Pairing (7, 8)
    package var firstRefLifetime = 60_000
    package var refLifetime = 20_000
    package var refGrace = 10_000
    package var refCount = 6
    package var endlessRefs = false
    package var maxCompanions = 4
    package var phonePlatform = "android"
    package var codeRateLimit = false

    // Login (6, 10)
    /// Lowest accepted `2.3000.x` revision; `nil` accepts every version.
    package var minimumRevision: UInt32?
    package var deliverWhenPassive = false
    package var passiveLimit = 5_000
    package var edgeRouting = false
    package var clientRevision: UInt32 = 1_045_649_367

    // Router (11)
    package var unknownIQ = UnknownIQ.error
    package var stanzaLogEntries = 10_000

    // Prekeys and devices (13)
    package var prekeyLowMark = 10
    package var prekeyNoticeInterval = 60_000
    /// One-time keys kept of an upload; the rest is only counted. 812 keeps what every client uploads.
    package var prekeyKeepMax = 812
    package var prekeyErrorsForUnknown = false
    package var deviceNotices = DeviceNotices.subscribers

    // Relay (14, 15)
    package var addressSpace = AddressSpace.asSent
    package var unknownDestinationError = false
    package var strictTokens = false
    package var strictStructure = false
    /// PN and LID mixed in one stanza is refused with 400 (04, section 22.4).
    package var strictAddressing = true
    package var messagesPerMinute: Int?
    package var receiptsNameDevice = false
    package var groupedReceipts = false
    package var queueLimit = 10_000
    package var queueLifetime = 14 * 86_400_000
    package var groupAddressing = AddressSpace.lid
    /// Whether the key positions of all ciphertexts are watched for reuse.
    package var keyChecks = true

    // Passkey (9)
    package var passkeyRelyingParty = "web.whatsapp.com"
    /// Milliseconds of world time that a passkey pairing may take.
    package var passkeyTimeout = 300_000

    // Phones (19)
    package enum HistoryInlining: String, Sendable, Codable { case all, bootstrap, none }

    /// `HistorySync.syncType`s that a new companion is sent, in this order: 0 initial bootstrap, 4 push names, 5 non-blocking
    /// data, 3 recent, 2 full (only to companions that ask for it).
    package var historyTypes = [0, 4, 5, 3, 2]
    /// Messages in one chunk of recent or full history.
    package var historyChunkMessages = 500
    /// Which chunks come inside of their notification when they are small enough and the companion asked for that.
    package var historyInlining = HistoryInlining.all
    /// Compressed bytes up to which a chunk can come inline.
    package var historyInlineLimit = 65_536
    /// Whether phones check everything that companions write to app state.
    package var strictAppState = true
    /// Patches above which a full sync gets a snapshot; below it gets the patches themselves.
    package var appStateSnapshotAbove = 20
    /// Patches of app state in one answer.
    package var appStatePageSize = 50

    // Presence (18)
    package var presenceOnlyToAvailable = true

    // Media (20)
    package var mediaHosts: [String] = []
    package var mediaTTL = 300
    package var mediaAuthTTL = 21_600
    /// Seconds of world time for which a file is kept and its link is valid.
    package var mediaLifetime = 30 * 86_400
    /// Bytes of files that are kept in memory.
    package var mediaMemory = 256 << 20
    /// Bytes of one file.
    package var mediaSizeLimit = 100 << 20
    /// Whether a `hash` parameter that is not the file's is answered 404.
    package var mediaHashCheck = true
    /// Status of a deleted file: 404 or 410.
    package var mediaGoneStatus = 404

    package init() {}
}
