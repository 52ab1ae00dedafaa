import Database

extension StorageDatabase {
    /// Asks the database for nothing, to see whether it answers. Throws what the connection throws.
    package func probe() async throws { _ = try await system.query(Self.probeStatement) }

    private static let probeStatement = Statement("storage.probe", "SELECT 1")
}
