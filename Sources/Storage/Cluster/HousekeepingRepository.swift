import Database

/// How long rows are kept (14-storage, section 9).
package struct RetentionSettings: Sendable, Equatable {
    /// `MESSAGE_RETENTION_DAYS`; 0 keeps messages for ever. A tenant may have fewer.
    package var messageDays: Int
    /// `WEBHOOK_DELIVERY_RETENTION_DAYS`.
    package var deliveryDays: Int
    /// `WEBHOOK_BODY_RETENTION`: bodies of delivered events.
    package var deliveredBodies: Duration

    package init(messageDays: Int = 90, deliveryDays: Int = 7, deliveredBodies: Duration = .seconds(86_400)) {
        self.messageDays = messageDays
        self.deliveryDays = max(1, deliveryDays)
        self.deliveredBodies = deliveredBodies
    }
}

/// What keeps the tables bounded (14-storage, section 9). Safe to run on several nodes at once.
package struct HousekeepingRepository: Sendable {
    private let database: StorageDatabase
    private let retention: RetentionSettings

    package init(_ database: StorageDatabase, retention: RetentionSettings = RetentionSettings()) {
        self.database = database
        self.retention = retention
    }

    /// Makes the partitions of the next two periods where they are missing.
    package func makePartitions() async throws {
        try await asOwner { connection in _ = try await connection.query(HousekeepingStatements.createPartitions) }
    }

    /// Removes rows past their retention and webhook secrets past their grace: whole partitions where it can, else 5000 rows
    /// of a table at a time.
    package func removeExpired() async throws {
        for statement in HousekeepingStatements.expired { try await exhaust(statement) }
        _ = try await database.system.execute(WebhookStatements.eraseOldSecrets)
        let days = SQLValue(retention.deliveryDays)
        try await clearBodies("bodies_cleared", after: retention.deliveredBodies)
        // Once more what took longer to arrive.
        try await clearBodies("late_bodies_cleared", after: retention.deliveredBodies + Self.longestDelivery)
        // An event and all its deliveries move at once; no statement takes long.
        try await database.system.withTransaction { transaction in
            for statement in OutboxRetentionStatements.keep {
                while try await transaction.execute(statement, [days]) == 5000 {}
            }
        }
        if retention.messageDays > 0 {
            for statement in HousekeepingStatements.oldMessages {
                try await exhaust(statement, [SQLValue(retention.messageDays)])
            }
        }
        try await exhaust(HousekeepingStatements.tenantMessages)
        try await dropPartitions()
    }

    private func dropPartitions() async throws {
        var limits = [("webhook_deliveries", retention.deliveryDays), ("audit_log", 400)]
        limits += ["webhook_events", "webhook_attempts"].map { ($0, retention.deliveryDays) }
        if retention.messageDays > 0 { limits.append(("messages", retention.messageDays)) }
        try await asOwner { connection in
            for (parent, days) in limits {
                _ = try await connection.query(HousekeepingStatements.dropPartitions, [.text(parent), SQLValue(days)])
            }
        }
    }

    /// After so long a delivery has arrived or was given up, with `WEBHOOK_MAX_AGE` as it is by default.
    private static let longestDelivery = Duration.seconds(5 * 86_400)

    /// - Parameter mark: name of the setting that holds how far this came.
    private func clearBodies(_ mark: String, after age: Duration) async throws {
        var count: Int64 = 5000
        while count == 5000 {
            count =
                try await database.system.query(
                    OutboxRetentionStatements.clearBodies, [.text(mark), .seconds(age)]
                ).first?[0] ?? 0
        }
    }

    private func exhaust(_ statement: Statement, _ parameters: [SQLValue] = []) async throws {
        while try await database.system.execute(statement, parameters) == 5000 {}
    }

    /// Partitions belong to the login that migrated, not to the roles that use them.
    private func asOwner(_ body: (DedicatedConnection) async throws -> Void) async throws {
        var configuration = database.configuration
        configuration.role = nil
        configuration.applicationName += "/jobs"
        let connection = try await DedicatedConnection.open(configuration)
        do {
            try await body(connection)
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
    }
}
