import Database

/// The other addresses of people, as far as a device has learnt them: LID for phone number and the other way round.
package struct AddressRepository: Sendable {
    private static let phoneServer = "@s.whatsapp.net"
    private static let lidServer = "@lid"

    private let database: StorageDatabase

    package init(_ database: StorageDatabase) { self.database = database }

    /// The other address of each of `addresses` that has one. All are bare JID texts; other kinds of address are ignored.
    package func alternatives(_ scope: DeviceScope, of addresses: Set<String>) async throws -> [String: String] {
        let numbers = Self.users(addresses, Self.phoneServer)
        let lids = Self.users(addresses, Self.lidServer)
        if numbers.isEmpty, lids.isEmpty { return [:] }
        var alternatives: [String: String] = [:]
        for row in try await database.query(
            .device(scope), AddressStatements.pairs, [.int(scope.did), .texts(numbers), .texts(lids)])
        {
            let number = try row["pn"] as String + Self.phoneServer
            let lid = try row["lid"] as String + Self.lidServer
            if addresses.contains(number) { alternatives[number] = lid }
            if addresses.contains(lid) { alternatives[lid] = number }
        }
        return alternatives
    }

    private static func users(_ addresses: Set<String>, _ server: String) -> [String] {
        addresses.filter { $0.hasSuffix(server) }.map { String($0.dropLast(server.count)) }
    }
}

enum AddressStatements {
    static let pairs = Statement(
        "addresses.pairs",
        """
        SELECT pn, lid FROM sb.lid_map WHERE did = $1 AND pn = ANY ($2)
        UNION SELECT pn, lid FROM sb.lid_map WHERE did = $1 AND lid = ANY ($3)
        """)
}
