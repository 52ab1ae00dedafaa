import Cryptography
import WhatsAppProtobuf

extension SessionRecord {
    /// First byte of a whole record in one string.
    private static let format: UInt8 = 0x11

    /// A record from its rows: the current state's and the archived states', newest first. Throws `corruptRecord`.
    ///
    /// Nothing may be sent from it before an image is durable.
    package init(current: Bytes, archived: [Bytes]) throws {
        self.current = try SessionState.decode(current[...])
        self.archived = try archived.prefix(SignalLimits.archivedStates).map { row in
            guard let state = try SessionState.decode(row[...]) else {
                throw SignalError.corruptRecord("session: archived state is empty")
            }
            return state
        }
    }

    /// A record from what `serialized` gave. Throws `corruptRecord`.
    package init(parsing bytes: Bytes) throws {
        guard bytes.first == SessionRecord.format else { throw SignalError.corruptRecord("session record: format") }
        var current: SessionState?
        var archived: [SessionState] = []
        try RecordDecoding.fields(bytes.dropFirst(), of: "session record") { field in
            switch (field.number, try SessionState.decode(field.bytes)) {
            case (1, let state): current = state
            case (2, let state?): archived.append(state)
            default: throw SignalError.corruptRecord("session record: field \(field.number)")
            }
        }
        guard archived.count <= SignalLimits.archivedStates else {
            throw SignalError.corruptRecord("session record: \(archived.count) archived states")
        }
        self.current = current
        self.archived = archived
    }

    /// The whole record as it stands, in one string: 1 current state, repeated 2 archived states.
    ///
    /// For owners that store before every send (the sandbox) and for comparison; it holds the live sending chain, so a
    /// record that is loaded from an outdated string would use positions twice. Rows come from `imageForStorage`.
    package func serialized() -> Bytes {
        var writer = ProtoWriter(capacity: 640 * (1 + archived.count))
        writer.raw(CollectionOfOne(SessionRecord.format))
        if let current { writer.bytes(1, current.encoded(.live)) }
        for state in archived { writer.bytes(2, state.encoded(.live)) }
        return writer.bytes
    }
}
