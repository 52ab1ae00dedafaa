/// A whole SQL statement under a stable name. Each connection prepares it once and keeps it by that name.
///
/// Parameters are `$1`…`$n`. Results come in binary: cast types without a decoder (inet, interval, numeric) to text or
/// to a number in the SQL.
package struct Statement: Sendable, Hashable {
    /// Unique within the process, at most 63 bytes, for instance `devices.by_id`.
    package let name: String
    package let sql: String

    package init(_ name: String, _ sql: String) {
        precondition(name.utf8.count <= 63, "statement name \(name) is longer than an identifier may be")
        self.name = name
        self.sql = sql
    }

    package func callAsFunction(_ parameters: SQLValue...) -> BoundStatement {
        BoundStatement(self, parameters)
    }
}

/// A statement with its parameters, ready for a pipeline.
package struct BoundStatement: Sendable, Equatable {
    package let statement: Statement
    package let parameters: [SQLValue]

    package init(_ statement: Statement, _ parameters: [SQLValue] = []) {
        self.statement = statement
        self.parameters = parameters
    }
}
