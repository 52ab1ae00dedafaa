import Database

/// The rows of one set-based statement, column by column: each column becomes one array parameter.
struct RowSet {
    private var columns: [[SQLValue]] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Appends a row; every row has the same columns.
    mutating func append(_ values: SQLValue...) {
        if columns.isEmpty { columns = Array(repeating: [], count: values.count) }
        precondition(columns.count == values.count, "rows of one statement have the same columns")
        for (index, value) in values.enumerated() { columns[index].append(value) }
        count += 1
    }

    func bound(to statement: Statement) -> BoundStatement {
        BoundStatement(statement, columns.map(SQLValue.array))
    }
}

extension [BoundStatement] {
    /// Adds `statement` with these rows, unless there are none.
    mutating func append(_ statement: Statement, _ rows: RowSet) {
        if !rows.isEmpty { append(rows.bound(to: statement)) }
    }
}
