import Database
import TestSupport
import Testing

/// A statement with the plan that knows no values, as connections with prepared statements use it: what executing it touches.
struct ExplainedStatement {
    let statement: Statement
    /// The types of its parameters, and their values, as SQL.
    let types: String
    let values: String

    /// What to run on one connection, in this order; the last but one answers with the plan.
    var statements: [BoundStatement] {
        let name = statement.name.replacing(".", with: "_")
        // The client prepares one text under one name, and PostgreSQL keeps 63 bytes of a name.
        let explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE \(name)(\(values))"
        return [
            Statement("plan.generic", "SELECT set_config('plan_cache_mode', 'force_generic_plan', false)")(),
            Statement("plan.\(name).prepare", "PREPARE \(name)(\(types)) AS \(statement.sql)")(),
            Statement("plan.\(name).\(UInt(bitPattern: values.hashValue))", explain)(),
            Statement("plan.\(name).end", "DEALLOCATE \(name)")(),
        ]
    }

    /// Pages of the database that it touched, and rows that it gave, by the answers to ``statements``.
    func touched(_ results: [QueryResult]) throws -> (pages: Int, rows: Int) {
        let plan: String = try #require(try results[2].rows.first?[0])
        let top = try JSON(Array(plan.utf8))[0]["Plan"]
        let pages = (top["Shared Hit Blocks"].int ?? 0) + (top["Shared Read Blocks"].int ?? 0)
        return (pages, top["Actual Rows"].int ?? 0)
    }
}
