#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The connection to PostgreSQL (13-configuration, sections 4.3 and 5).
package struct DatabaseSettings: Sendable {
    package enum Migration: String, Sendable { case auto, check, off }

    /// Text for libpq; nil where the caller brings its own database.
    package var uri: String?
    package var keysURI: String?
    /// Connections for reads and API transactions.
    package var poolSize: Int
    package var poolMinimum: Int
    /// Zero is no limit.
    package var statementTimeout: Duration
    package var lockTimeout: Duration
    package var usesPreparedStatements: Bool
    package var migration: Migration
    package var dataDirectory: String

    init(_ reader: inout SettingReader) {
        uri = reader.text("WHATSAPP_DATASTORE_URI")
        keysURI = reader.text("WHATSAPP_KEYS_DATASTORE_URI")
        poolSize = reader.optionalInteger("DB_POOL_SIZE") ?? max(4, 2 * sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        poolMinimum = reader.integer("DB_POOL_MIN")
        statementTimeout = reader.duration("DB_STATEMENT_TIMEOUT")
        lockTimeout = reader.duration("DB_LOCK_TIMEOUT")
        usesPreparedStatements = reader.bool("DB_PREPARED_STATEMENTS")
        migration = reader.choice("DB_MIGRATE") ?? .auto
        dataDirectory = reader.text("DATA_DIR") ?? "data"
    }
}
