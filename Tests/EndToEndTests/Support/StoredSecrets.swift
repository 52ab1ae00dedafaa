import Cryptography
import Database
import Foundation
import TestSupport

@testable import Signal
@testable import Storage

/// What lies sealed in a database, opened with the data key.
struct StoredSecrets {
    let envelope: SecretEnvelope

    /// - Parameter key: `SECRETS_KEY`, 32 bytes.
    init(key: [UInt8]) throws { envelope = try SecretEnvelope(key: SecretBytes(key), sealsSessionData: true) }

    /// Adds the content of every sealed column, and the keys within sessions and sender keys. Returns how many values each
    /// column had.
    ///
    /// - Parameter content: Gets what stands in stored messages too, which the database holds in clear by its purpose.
    func collect(
        from connection: DedicatedConnection, into search: inout SecretSearch, content: inout SecretSearch
    ) async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for column in SealedColumn.all {
            let names = column.names.map { ", \($0)::text" }.joined()
            let rows = try await connection.query(
                Statement(
                    "leak.sealed.\(column.table).\(column.column)",
                    "SELECT did, \(column.column)\(names) FROM sb.\(column.table) WHERE \(column.column) IS NOT NULL"))
            for row in rows {
                let names: [String] = try column.names.indices.map { try row[$0 + 2] }
                let context = column.context(try row[0], names)
                let stored: [UInt8] = try row[1]
                let value =
                    switch column.form {
                    case .envelope: try envelope.open(stored, context: context)
                    case .record: try envelope.record(stored: stored, context: context)
                    case .content: try envelope.content(stored: stored, context: context)
                    }
                let name = "\(column.table).\(column.column) of \(try row[0] as Int64) \(names.joined(separator: " "))"
                if ["message_secrets", "retry_buffer"].contains(column.table) {
                    content.add(name, value)
                } else {
                    search.add(name, value)
                }
                for (part, key) in try keys(within: value, of: column.table) { search.add("\(part) of \(name)", key) }
                counts["\(column.table).\(column.column)", default: 0] += 1
            }
        }
        return counts
    }

    private func keys(within record: [UInt8], of table: String) throws -> [(String, [UInt8])] {
        switch table {
        case "signal_sessions", "signal_session_archive":
            guard let state = try SessionState.decode(record[...]) else { return [] }
            return [
                ("root key", state.rootKey.bytes), ("ratchet key", state.sender.ratchetKey.privateKey.secret.bytes),
                ("sending chain", state.sender.chain.live.key.bytes),
            ] + state.receivers.map { ("receiving chain", $0.chain.position.key.bytes) }
        case "signal_sender_keys":
            return try SenderKeyRecord(parsing: record).states.flatMap { state -> [(String, [UInt8])] in
                switch state.role {
                case .own(let chain, let signing):
                    [("own chain", chain.live.key.bytes), ("signing key", signing.secret.bytes)]
                case .remote(let chain, _): [("chain", chain.position.key.bytes)]
                }
            }
        default: return []
        }
    }

    /// Every row of every table, as text and, for columns of bytes, as these bytes.
    static func dump(_ connection: DedicatedConnection) async throws -> [UInt8] {
        let tables = try await connection.query(
            Statement(
                "leak.tables",
                """
                SELECT c.relname::text FROM pg_class c
                WHERE c.relnamespace = 'sb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                """))
        var dump: [UInt8] = []
        for row in tables {
            let table: String = try row[0]
            for row in try await connection.query(Statement("leak.\(table)", "SELECT t::text FROM sb.\(table) t")) {
                let text: String = try row[0]
                dump += Array("\n\(table): ".utf8) + Array(text.utf8)
                for bytes in text.split(separator: "\\x").dropFirst() {
                    let digits = bytes.prefix { $0.isHexDigit }
                    dump += Array("\nbytes in \(table): ".utf8) + (Hex.decode(String(digits)) ?? [])
                }
            }
        }
        return dump
    }
}
