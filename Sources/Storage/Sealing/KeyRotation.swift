import Database

/// Seals again what older data keys sealed, while devices run (13-configuration, section 15).
///
/// `SECRETS_KEY` names the new key and `SECRETS_KEY_PREVIOUS` the old ones; both open values until nothing is left under
/// an old one. Records that were stored in clear before a key was configured are sealed too. Safe on several nodes at once.
package struct KeyRotation: Sendable {
    /// What one pass did.
    package struct Progress: Sendable, Equatable {
        package var sealed = 0
        /// Values that no known key opens; they stay as they are.
        package var unreadable = 0
    }

    private let pool: ConnectionPool
    private let envelope: SecretEnvelope
    private let batch: Int

    /// - Parameter pool: Runs as role `sb_system`.
    package init(pool: ConnectionPool, envelope: SecretEnvelope, batch: Int = 200) {
        self.pool = pool
        self.envelope = envelope
        self.batch = batch
    }

    /// Values that the current key did not seal, by `table.column`; columns with none are left out. Throws `DatabaseError`.
    package func remaining() async throws -> [String: Int] {
        var found: [String: Int] = [:]
        for column in SealedColumn.all {
            let count: Int = try await pool.query(column.count, key).first?[0] ?? 0
            if count > 0 { found["\(column.table).\(column.column)"] = count }
        }
        return found
    }

    /// Whether the keys are those of this database.
    package enum Fit: Sendable, Equatable {
        case fits
        /// Some values open, others do not; the columns of these.
        case partly([String])
        /// There are sealed values, and none of those looked at opens.
        case nothing
    }

    /// Looks at some values of every device and webhook that the current key did not seal. Throws `DatabaseError`.
    package func fit(sample: Int = 20) async throws -> Fit {
        var closed: [String] = []
        var isAnyOpen = false
        for column in SealedColumn.telling {
            let rows = try await pool.query(column.outdated, key + [SQLValue(0), SQLValue(sample)])
            for row in rows {
                let names: [String] = try (2..<2 + column.names.count).map { try row[$0] }
                if sealed(try row[1], column, context: column.context(try row[0], names)) != nil {
                    isAnyOpen = true
                } else if closed.last != "\(column.table).\(column.column)" {
                    closed.append("\(column.table).\(column.column)")
                }
            }
        }
        if closed.isEmpty { return .fits }
        for column in SealedColumn.telling where !isAnyOpen {
            isAnyOpen = try await pool.query(column.current, [.bytes(envelope.keyID)]).first?["is_there"] ?? false
        }
        return isAnyOpen ? .partly(closed) : .nothing
    }

    /// Seals everything that is outdated. Throws `DatabaseError`; what was sealed stays so, and the next pass goes on.
    @discardableResult
    package func run() async throws -> Progress {
        var progress = Progress()
        for column in SealedColumn.all { try await run(column, &progress) }
        return progress
    }

    private func run(_ column: SealedColumn, _ progress: inout Progress) async throws {
        var skipped = 0
        while true {
            let rows = try await pool.query(column.outdated, key + [SQLValue(skipped), SQLValue(batch)])
            if rows.isEmpty { return }
            for row in rows {
                let (did, old): (Int64, [UInt8]) = (try row[0], try row[1])
                let names: [String] = try (2..<2 + column.names.count).map { try row[$0] }
                guard let new = sealed(old, column, context: column.context(did, names)) else {
                    skipped += 1
                    progress.unreadable += 1
                    continue
                }
                try await pool.execute(column.replace, [.int(did), .bytes(old), .bytes(new)] + names.map { .text($0) })
                progress.sealed += 1
            }
        }
    }

    private func sealed(_ old: [UInt8], _ column: SealedColumn, context: String) -> [UInt8]? {
        switch column.form {
        case .envelope: try? envelope.seal(envelope.open(old, context: context), context: context)
        case .record:
            try? envelope.storedRecord(envelope.record(stored: old, context: context), context: context)
        case .content:
            try? envelope.storedContent(envelope.content(stored: old, context: context), context: context)
        }
    }

    private var key: [SQLValue] { [.bytes(envelope.keyID), .bool(envelope.sealsSessionData)] }
}
