import Database
import Foundation

/// What a batch must know of a device beside its change sets. Read once per lease epoch, and after a failed batch.
struct DeviceFacts {
    let epoch: Int64
    /// Lower-case text of the wire id.
    let deviceID: String
    let tenantID: Int64
    /// Whether a webhook or a stream wanted the device's events when this was read. Where none did, batches leave its events
    /// out, and fail when that is no longer so (``CommitStatements/silence``).
    let hasListeners: Bool
    /// The next event's number. The device has one owner, so numbers are allotted from memory (16, section 5.6).
    private var nextSequence: Int64
    /// Numbers up to this are durable in `devices.event_seq`: a later owner starts above it.
    private var durableBound: Int64

    /// Numbers are reserved ahead in blocks, so that few batches write the device row; a restart skips the rest of a block.
    private static let block: Int64 = 64

    init(_ row: Row, epoch: Int64) throws {
        self.epoch = epoch
        deviceID = try row["device_id"]
        tenantID = try row["tenant_id"]
        hasListeners = try row["has_listeners"]
        let stored: Int64 = try row["event_seq"]
        nextSequence = stored + 1
        durableBound = stored
    }

    mutating func allotSequence() -> Int64 {
        defer { nextSequence += 1 }
        return nextSequence
    }

    /// The bound to store with this batch when numbers beyond the durable one were allotted.
    mutating func boundToStore() -> Int64? {
        guard nextSequence > durableBound + 1 else { return nil }
        durableBound = nextSequence - 1 + Self.block
        return durableBound
    }
}
