import Database
import Foundation
import Logging
import Messaging
import Signal
import Synchronization

/// Whether the database lost commits, and when: fail-overs to a replica that lacked some, and restored backups
/// (16-performance-durability, section 1.8).
///
/// Every new connection is asked which cluster it leads to and on which timeline of its log, before it is used; a running
/// process asks again from time to time, for poolers that keep connections over a fail-over. A change is written into the
/// settings with its time, so that all nodes, now and later, know which rows were written before it.
package final class StoreHistory: Sendable {
    /// A database and the history of its log. A promoted replica, and a restore to a point in time, start a new timeline;
    /// a dump is loaded into another database, of this cluster or of another.
    package struct Identity: Sendable, Equatable {
        /// `system_identifier`, a slash, and the database's number; empty where the first may not be read.
        package let system: String
        /// Eight hex digits.
        package let timeline: String
    }

    /// When commits were lost, by the clock of the database.
    struct Losses: Sendable, Equatable {
        /// The newest loss of the last moments.
        var lostAt: Timestamp?
        /// The newest loss of more.
        var restoredAt: Timestamp?
    }

    private struct State {
        var identity: Identity?
        var lastSeen: Timestamp?
        var losses = Losses()
        var hasWarned = false
        var onLoss: @Sendable () -> Void = {}
    }

    private let state = Mutex(State())
    private let logger: Logger

    package init(logger: Logger) { self.logger = logger }

    /// `handler` is called, on any thread, when a running process finds that commits may be lost.
    package func onLoss(_ handler: @escaping @Sendable () -> Void) { state.withLock { $0.onLoss = handler } }

    /// The configuration with each of its connections looked at. Connections that are looked at find the settings table.
    func watching(_ configuration: DatabaseConfiguration, role: String?) -> DatabaseConfiguration {
        var system = configuration
        system.role = role
        system.applicationName += "/history"
        var watched = configuration
        watched.onConnect = { [weak self, system] connection in
            try await self?.look(through: connection) { try await DedicatedConnection.open(system) }
        }
        return watched
    }

    /// Looks again over a pool whose connections may lead elsewhere than when they were opened.
    package func check(_ database: StorageDatabase) async throws {
        guard let row = try await Self.found({ try await database.system.query($0) }) else { return warn() }
        let found = try Self.identity(row)
        guard noteSeen(found, at: try row["now"]) else { return }
        let rows = try await database.system.pipeline(reconciliation(found))
        note(found, try Self.losses(rows.last?.rows.first))
    }

    /// What may have been lost since a row was written.
    func loss(sinceWrite written: Timestamp) -> SessionRecord.StoredLoss? {
        let losses = state.withLock { $0.losses }
        if let restored = losses.restoredAt, written < restored { return .much }
        // The clock of the server that is gone may have been ahead.
        if let lost = losses.lostAt, written < lost.adding(seconds: Self.clockDifference) { return .some }
        return nil
    }

    private static let clockDifference: Int64 = 30

    // MARK: Looking

    private func look(
        through connection: DedicatedConnection, _ open: () async throws -> DedicatedConnection
    ) async throws {
        guard let row = try await Self.found({ try await connection.query($0) }) else { return warn() }
        let found = try Self.identity(row)
        guard noteSeen(found, at: try row["now"]) else { return }
        let system = try await open()
        do {
            let results = try await system.pipeline(reconciliation(found))
            await system.close()
            note(found, try Self.losses(results.last?.rows.first))
        } catch {
            await system.close()
            throw error
        }
    }

    /// The row of ``findStatement``, or of the one that asks for less; nil where neither may be asked.
    private static func found(_ query: (Statement) async throws -> [Row]) async throws -> Row? {
        for statement in [findStatement, findTimeline] {
            do { return try await query(statement).first } catch let error as DatabaseError {
                guard case .server = error else { throw error }
            }
        }
        return nil
    }

    /// Throws for a server that follows another: promoted, it would be on another timeline over the same connection.
    private static func identity(_ row: Row) throws -> Identity {
        guard let timeline: String = try row["timeline"] else {
            throw DatabaseError.connectionFailed(reason: "the server is in recovery")
        }
        return Identity(system: try row["system"], timeline: timeline)
    }

    private static func losses(_ row: Row?) throws -> Losses {
        let (lost, restored): (Int64?, Int64?) = (try row?["lost_at"], try row?["restored_at"])
        return Losses(
            lostAt: lost.map { Timestamp(microseconds: $0) }, restoredAt: restored.map { Timestamp(microseconds: $0) })
    }

    private func warn() {
        let isFirst = state.withLock { state in
            defer { state.hasWarned = true }
            return !state.hasWarned
        }
        if isFirst {
            logger.warning(
                "the database does not tell its timeline: fail-overs that lose commits are not noticed")
        }
    }

    /// Whether the settings have to be asked about `found`.
    private func noteSeen(_ found: Identity, at time: Timestamp) -> Bool {
        state.withLock { state in
            guard state.identity == found else { return true }
            state.lastSeen = max(state.lastSeen ?? time, time)
            return false
        }
    }

    private func note(_ found: Identity, _ losses: Losses) {
        let onLoss = state.withLock { state -> (@Sendable () -> Void)? in
            let isChange = state.identity.map { $0 != found } ?? false
            (state.identity, state.losses) = (found, losses)
            return isChange ? state.onLoss : nil
        }
        guard let onLoss else { return }
        logger.warning(
            "the database is another, or on another timeline: its last commits may be lost",
            metadata: ["system": "\(found.system)", "timeline": "\(found.timeline)"])
        onLoss()
    }

    private func reconciliation(_ found: Identity) -> [BoundStatement] {
        let lastSeen = state.withLock { $0.lastSeen }
        return [
            Self.reconcile(.text(found.system), .text(found.timeline), SQLValue(lastSeen)), Self.find(),
        ]
    }

    // MARK: For operators

    /// What the database is, as far as it says so, and what the settings know of.
    package static func inspect(_ pool: ConnectionPool) async throws -> (found: Identity?, known: Identity?) {
        let found = try await found { try await pool.query($0) }.map { try identity($0) }
        let known = try await pool.query(find).first.flatMap { row -> Identity? in
            guard let timeline: String = try row["timeline"] else { return nil }
            return Identity(system: try row["system"] ?? "", timeline: timeline)
        }
        return (found, known)
    }

    /// Has all sessions that are stored by now end their sending chains: after a restore of a backup, which nobody can tell
    /// from the database alone.
    package static func noteRestore(_ pool: ConnectionPool) async throws { _ = try await pool.query(restored) }

    private static let findStatement = Statement(
        "store_history.identity",
        """
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS system,
          now() AS now, CASE WHEN NOT pg_is_in_recovery()
          THEN substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END AS timeline
        FROM pg_control_system()
        """)
    private static let findTimeline = Statement(
        "store_history.timeline",
        """
        SELECT '' AS system, now() AS now, CASE WHEN NOT pg_is_in_recovery()
          THEN substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END AS timeline
        """)

    /// Takes note of a change: another cluster means a backup that was loaded. On another timeline the age of the nodes' last
    /// sign of life tells how much is lost: against the last look of a running process (`$3`), or against now.
    private static let reconcile = Statement(
        "store_history.reconcile",
        """
        INSERT INTO sb.settings AS s (key, value)
        VALUES ('store', jsonb_build_object('system', $1::text, 'timeline', $2::text))
        ON CONFLICT (key) DO UPDATE SET updated_at = now(), value = s.value
          || jsonb_build_object('system', $1::text, 'timeline', $2::text,
            'lost_at', (extract(epoch FROM now()) * 1000000)::bigint)
          || CASE WHEN s.value ->> 'system' <> $1 OR (SELECT coalesce($3::timestamptz, now()) - max(n.heartbeat_at)
              FROM sb.nodes n) > CASE WHEN $3::timestamptz IS NULL THEN interval '60 seconds' ELSE interval '15 seconds' END
            THEN jsonb_build_object('restored_at', (extract(epoch FROM now()) * 1000000)::bigint) ELSE '{}' END
        WHERE s.value ->> 'system' IS DISTINCT FROM $1 OR s.value ->> 'timeline' IS DISTINCT FROM $2
        """)
    private static let find = Statement(
        "store_history.find",
        """
        SELECT value ->> 'system' AS system, value ->> 'timeline' AS timeline, (value ->> 'lost_at')::bigint AS lost_at,
          (value ->> 'restored_at')::bigint AS restored_at FROM sb.settings WHERE key = 'store'
        """)
    private static let restored = Statement(
        "store_history.restored",
        """
        INSERT INTO sb.settings AS s (key, value)
        VALUES ('store', jsonb_build_object('restored_at', (extract(epoch FROM now()) * 1000000)::bigint))
        ON CONFLICT (key) DO UPDATE SET value = s.value || excluded.value, updated_at = now()
        """)
}
