import CPostgreSQL
import Foundation

/// One libpq connection as a pointer that can be handed from the thread that opened it to the executor.
///
/// `@unchecked Sendable`: libpq allows a PGconn to be used from any thread, one at a time. The opener hands it over
/// before the owning actor touches it, and only that actor uses it afterwards.
struct LibpqHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Connects and sets the session up. Blocks: runs on ``BlockingWorkers`` only.
    static func connect(_ parameters: ConnectionParameters, _ configuration: DatabaseConfiguration) throws
        -> LibpqHandle
    {
        let pairs = parameters.values.sorted { $0.key < $1.key }
        let connection = withCStrings(pairs.map(\.key)) { keywords in
            withCStrings(pairs.map(\.value)) { values in PQconnectdbParams(keywords, values, 0) }
        }
        guard let connection else {
            throw DatabaseError.connectionFailed(reason: "out of memory")
        }
        guard PQstatus(connection) == CONNECTION_OK else {
            defer { PQfinish(connection) }
            throw DatabaseError.connectionFailed(reason: errorMessage(connection))
        }
        _ = PQsetNoticeProcessor(connection, { _, _ in }, nil)
        do {
            try setUp(connection, configuration)
        } catch {
            PQfinish(connection)
            throw error
        }
        guard PQsetnonblocking(connection, 1) == 0 else {
            PQfinish(connection)
            throw DatabaseError.connectionFailed(reason: "the socket cannot be made non-blocking")
        }
        return LibpqHandle(pointer: connection)
    }

    /// Makes all settings of the session in one round trip. A role that does not exist, or that the login may not take on,
    /// is left out.
    private static func setUp(_ connection: OpaquePointer, _ configuration: DatabaseConfiguration) throws {
        let settings = Dictionary(configuration.settings.map { ($0.name, $0.value) }) { _, last in last }
        let text = """
            SELECT set_config(s.key, s.value, false) FROM json_each_text($1::json) s
            UNION ALL
            SELECT set_config('role', rolname, false) FROM pg_catalog.pg_roles
            WHERE rolname = $2 AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER')
            """
        let parameters = [
            String(decoding: try JSONEncoder().encode(settings), as: UTF8.self), configuration.role ?? "",
        ]
        let result = withCStrings(parameters) { values in
            PQexecParams(connection, text, 2, nil, values, nil, nil, 0)
        }
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_TUPLES_OK else {
            throw DatabaseError.connectionFailed(reason: errorMessage(connection))
        }
    }

    static func errorMessage(_ connection: OpaquePointer) -> String {
        let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        let line = text.split(separator: "\n").joined(separator: "; ")
        return line.isEmpty ? "the server closed the connection" : line
    }
}

/// Calls `body` with a NULL-terminated list of C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes.append(contentsOf: string.utf8CString)
    }
    return bytes.withUnsafeBufferPointer { buffer in
        let pointers: [UnsafePointer<CChar>?] = offsets.map { buffer.baseAddress?.advanced(by: $0) } + [nil]
        return pointers.withUnsafeBufferPointer { list in
            guard let first = list.baseAddress else {
                preconditionFailure("the list ends with NULL and is never empty")
            }
            return body(first)
        }
    }
}

extension ServerError {
    /// Reads the fields of a failed result.
    init(_ result: OpaquePointer?, statement: String?) {
        func field(_ code: UnicodeScalar) -> String? {
            PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
        }
        self.init(
            sqlState: SQLState(rawValue: field("C") ?? "58000"),
            severity: field("V") ?? field("S") ?? "ERROR",
            message: field("M") ?? PQresultErrorMessage(result).map { String(cString: $0) } ?? "unknown error",
            detail: field("D"), hint: field("H"), table: field("t"), column: field("c"), constraint: field("n"),
            statement: statement, position: field("P").flatMap(Int.init))
    }

    /// The server ends the connection with this error.
    var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }
}
