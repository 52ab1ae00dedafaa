import Cryptography
import WhatsAppProtobuf

/// `HistorySync.syncType` (06, section 18.7).
enum HistoryType: UInt64, Sendable {
    case initialBootstrap = 0
    case full = 2
    case recent = 3
    case pushName = 4
    case nonBlockingData = 5
    case onDemand = 6
}

/// One `HistorySync` with what its notification says about it.
struct HistoryChunk: Sendable {
    let type: HistoryType
    /// The serialized `HistorySync`.
    let content: Bytes
    var order: UInt64 = 1
    /// 0…100 within its type.
    var progress: UInt64 = 100
    /// Id of the request that this answers.
    var originalID: String?
    /// Serialized `fullHistorySyncOnDemandRequestMetadata`.
    var metadata: Bytes?

    init(_ type: HistoryType, _ content: Bytes, order: UInt64 = 1, progress: UInt64 = 100) {
        self.type = type
        self.content = content
        self.order = order
        self.progress = progress
    }
}

/// What a companion wants of its phone's history, from its registration's `DeviceProps` (06, section 18.1).
struct HistoryWishes: Sendable, Equatable {
    private(set) var full = false
    private(set) var recentDays: UInt64?
    private(set) var inline = false

    init(deviceProps: Bytes) {
        let fields = ProtoFields(lenient: deviceProps)
        full = fields.bool(4)
        guard let configuration = fields.message(5) else { return }
        inline = configuration.bool(4)
        recentDays = configuration.uint(5).flatMap { $0 == 0 ? nil : $0 }
    }
}
