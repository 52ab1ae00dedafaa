/// One step of the schema's history: `0001_name.sql` in `Migrations/`.
///
/// A file whose first line is `-- switchboard: no transaction` holds one single statement that PostgreSQL refuses inside
/// a transaction (`CREATE INDEX CONCURRENTLY IF NOT EXISTS …`); it must be restartable.
package struct Migration: Sendable, Hashable {
    /// 1, 2, 3, … without gaps.
    package let version: Int
    package let name: String
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    var runsInTransaction: Bool { !sql.hasPrefix("-- switchboard: no transaction") }
}

package enum MigrationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The text of an applied migration is not what was applied.
    case changed(version: Int, name: String)
    /// The database has a migration that this program does not know: it belongs to a newer one.
    case newerThanProgram(version: Int)
    /// The list is not 1, 2, 3, ….
    case notConsecutive(version: Int)

    package var description: String {
        switch self {
        case .changed(let version, let name):
            "migration \(version)_\(name) was changed after it had been applied"
        case .newerThanProgram(let version):
            "the database is at migration \(version), which this program does not know"
        case .notConsecutive(let version): "migration \(version) does not follow its predecessor"
        }
    }
}
