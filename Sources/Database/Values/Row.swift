import CPostgreSQL

/// Owns one libpq result. Rows share it; the memory goes with the last row.
///
/// `@unchecked Sendable`: a PGresult is never changed once libpq has handed it out, and reading it is thread-safe.
final class ResultMemory: @unchecked Sendable {
    let result: OpaquePointer

    init(_ result: OpaquePointer) { self.result = result }
    deinit { PQclear(result) }
}

/// What one statement gave: its rows, or how many rows it touched.
package struct QueryResult: Sendable {
    private let memory: ResultMemory?
    /// Rows inserted, updated, deleted or returned; 0 for statements that count nothing.
    package let affectedRows: Int
    /// The command tag, for instance `UPDATE 3` or `COMMIT`.
    package let command: String
    private let rowCount: Int

    init(_ result: OpaquePointer) {
        affectedRows = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
        command = PQcmdStatus(result).map { String(cString: $0) } ?? ""
        rowCount = Int(PQntuples(result))
        memory = ResultMemory(result)
    }

    package var rows: [Row] {
        guard let memory else { return [] }
        return (0..<rowCount).map { Row(memory: memory, index: Int32($0)) }
    }
}

/// One row of a result. Values are decoded from the result's memory when they are asked for.
package struct Row: Sendable {
    fileprivate let memory: ResultMemory
    fileprivate let index: Int32

    /// Reads column `column` (0-based). Throws ``DatabaseError/decoding(column:reason:)``.
    package subscript<Value: SQLDecodable>(column: Int) -> Value {
        get throws { try decode(Int32(clamping: column), label: "\(column)") }
    }

    /// Reads the column named `name`. Throws ``DatabaseError/decoding(column:reason:)``, also for a column that is not there.
    package subscript<Value: SQLDecodable>(name: String) -> Value {
        get throws { try decode(PQfnumber(memory.result, name), label: name) }
    }

    package func get<Value: SQLDecodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        try self[name]
    }

    package func get<Value: SQLDecodable>(_ column: Int, as type: Value.Type = Value.self) throws -> Value {
        try self[column]
    }

    private func decode<Value: SQLDecodable>(_ column: Int32, label: String) throws -> Value {
        try withExtendedLifetime(memory) {
            let result = memory.result
            guard column >= 0, column < PQnfields(result) else {
                throw DatabaseError.decoding(column: label, reason: "there is no such column")
            }
            if PQgetisnull(result, index, column) != 0 {
                guard let null = Value.null else { throw DatabaseError.decoding(column: label, reason: "is NULL") }
                return null
            }
            let field = SQLField(
                type: PostgresType(rawValue: PQftype(result, column)),
                bytes: UnsafeRawBufferPointer(
                    start: PQgetvalue(result, index, column), count: Int(PQgetlength(result, index, column))))
            do {
                return try Value.decode(field)
            } catch let mismatch as SQLField.Mismatch {
                throw DatabaseError.decoding(column: label, reason: mismatch.reason)
            }
        }
    }
}
