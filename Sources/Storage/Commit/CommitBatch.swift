import Cryptography
import Database
import Messaging

/// Builds the statements of one batch: set-based, in a fixed order of tables, rows by device.
///
/// Every device in the rows is one of `devices`, whose leases the fence checks: rows are only ever taken from there.
struct CommitBatch {
    let devices: [DeviceChanges]
    let envelope: SecretEnvelope
    let options: CommitOptions
    private(set) var statements: [BoundStatement] = []
    /// True when the last statement before COMMIT inserts deliveries.
    private(set) var hasEvents = false
    /// Devices with events that nobody listens to, as far as is known.
    private(set) var silent: [Int64] = []

    /// Throws when a value cannot be sealed. `facts` has an entry for each device; it allots event numbers.
    init(
        _ devices: [DeviceChanges], facts: inout [Int64: DeviceFacts], envelope: SecretEnvelope, options: CommitOptions
    ) throws {
        self.devices = devices.sorted { $0.did < $1.did }
        self.envelope = envelope
        self.options = options
        let tenants = facts.mapValues(\.tenantID)
        try addCredentials()
        try addSessions()
        try addSenderKeys()
        try addKeys()
        addUsers(tenants)
        addMessages(tenants)
        try addMessageState(tenants)
        addDeviceRows()
        addTimeline()
        if options.storesEvents { try addEvents(&facts) }
    }

    /// The fence's parameters: devices and epochs.
    var fence: (dids: SQLValue, epochs: SQLValue) {
        (.ints(devices.map(\.did)), .ints(devices.map(\.epoch)))
    }

    private mutating func addDeviceRows() {
        var rows = RowSet()
        var live = RowSet()
        for device in devices {
            let change = device.device
            let did = SQLValue.int(device.did)
            if change.liveState != nil || change.liveError != nil {
                live.append(
                    did, .int(device.epoch), SQLValue(change.liveState?.rawValue), SQLValue(change.liveError))
            }
            var stored = change
            (stored.liveState, stored.liveError) = (nil, nil)
            if stored.isEmpty { continue }
            rows.append(
                did, SQLValue(change.status?.rawValue), SQLValue(change.wish?.rawValue),
                .bool(change.heldReason != nil), SQLValue(change.heldReason ?? nil), .bool(change.heldUntil != nil),
                SQLValue(change.heldUntil ?? nil), SQLValue(change.jid), SQLValue(change.lid),
                SQLValue(change.pushName), SQLValue(change.platform), SQLValue(change.businessName),
                SQLValue(change.lastActiveAt), SQLValue(change.endCode), SQLValue(change.endText))
        }
        statements.append(CommitStatements.updateDevices, rows)
        statements.append(CommitStatements.updateLiveStates, live)
    }

    private mutating func addTimeline() {
        var rows = RowSet()
        for device in devices {
            for event in device.events where event.isOfTimeline {
                rows.append(.int(device.did), SQLValue(event.at), .text(event.type), .text(event.timelineDetail))
            }
        }
        statements.append(TimelineStatements.append, rows)
    }

    private mutating func addEvents(_ facts: inout [Int64: DeviceFacts]) throws {
        let seals = EventSeals(sealing: envelope)
        var rows = RowSet()
        var bounds = RowSet()
        for device in devices where !device.events.isEmpty {
            guard var fact = facts[device.did] else { continue }
            guard fact.hasListeners else {
                silent.append(device.did)
                continue
            }
            for event in device.events {
                let sequence = fact.allotSequence()
                let eventID = EventID.generate(milliseconds: UInt64(max(0, event.at.milliseconds)))
                let body = EventEnvelope.body(event, eventID: eventID, deviceID: fact.deviceID, sequence: sequence)
                rows.append(
                    .int(device.did), .int(fact.tenantID), .text(eventID), .int(sequence), .text(event.type),
                    .text(event.dedupeKey), .bytes(try seals.stored(body, type: event.type, eventID: eventID)),
                    SQLValue(event.at), .bool(options.optInEvents.contains(event.type)),
                    SQLValue(event.claim?.chat), SQLValue(event.claim?.messageID), SQLValue(event.claim?.fromMe),
                    SQLValue(event.claim?.author?.first), SQLValue(event.claim?.author?.last))
            }
            if let bound = fact.boundToStore() { bounds.append(.int(device.did), .int(bound)) }
            facts[device.did] = fact
        }
        statements.append(CommitStatements.raiseEventSequences, bounds)
        statements.append(CommitStatements.events, rows)
        hasEvents = !rows.isEmpty
    }

    // MARK: For the other parts

    mutating func append(_ statement: BoundStatement) { statements.append(statement) }
    mutating func append(_ statement: Statement, _ rows: RowSet) { statements.append(statement, rows) }
}
