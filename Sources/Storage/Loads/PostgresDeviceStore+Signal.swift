import Database
import Messaging

extension PostgresDeviceStore {
    package func sessions(did: Int64, addresses: [String]) async throws -> [String: StoredSession] {
        if addresses.isEmpty { return [:] }
        let wanted = SQLValue.texts(addresses)
        let results = try await load(
            did, LoadStatements.sessions(.int(did), wanted), LoadStatements.archives(.int(did), wanted))
        var archives: [String: [ArchivedSessionState]] = [:]
        for row in results[1] {
            let address: String = try row["address"]
            let context = SealingContext.archive(did: did, address: address)
            guard
                let record = try await record(
                    try row["record"], context: context, did: did, kind: "archive", name: address)
            else { continue }
            archives[address, default: []].append(
                ArchivedSessionState(
                    baseKey: try row["base_key"], record: record,
                    loss: history?.loss(sinceWrite: try row["archived_at"])))
        }
        var sessions: [String: StoredSession] = [:]
        for row in results[0] {
            let address: String = try row["address"]
            let context = SealingContext.session(did: did, address: address)
            guard
                let record = try await record(
                    try row["record"], context: context, did: did, kind: "session", name: address)
            else { continue }
            sessions[address] = StoredSession(
                rev: try row["rev"], record: record, archived: archives[address] ?? [],
                loss: history?.loss(sinceWrite: try row["updated_at"]))
        }
        return sessions
    }

    package func addresses(did: Int64, signalUser: String) async throws -> [String] {
        // ";" follows ":" in the order of bytes, which is the order of these columns.
        let rows = try await load(
            did, LoadStatements.addresses(.int(did), .text("\(signalUser):"), .text("\(signalUser);")))[0]
        return try rows.map { try $0["address"] }
    }

    package func usersWithSessions(did: Int64, among users: [String]) async throws -> Set<String> {
        if users.isEmpty { return [] }
        let rows = try await load(did, LoadStatements.usersWithSessions(.int(did), .texts(users)))[0]
        return Set(try rows.map { try $0["name"] as String })
    }

    package func identities(did: Int64, addresses: [String]) async throws -> [String: [UInt8]] {
        if addresses.isEmpty { return [:] }
        return try pairs(try await load(did, LoadStatements.identities(.int(did), .texts(addresses)))[0])
    }

    package func senderKey(did: Int64, group: String, sender: String) async throws -> StoredSenderKey? {
        guard let row = try await first(did, LoadStatements.senderKey(.int(did), .text(group), .text(sender))) else {
            return nil
        }
        return try await senderKey(row, did: did, group: group, sender: sender)
    }

    package func senderKeys(did: Int64, sender: String) async throws -> [String: StoredSenderKey] {
        var keys: [String: StoredSenderKey] = [:]
        for row in try await load(did, LoadStatements.senderKeys(.int(did), .text(sender)))[0] {
            let group: String = try row["group_id"]
            keys[group] = try await senderKey(row, did: did, group: group, sender: sender)
        }
        return keys
    }

    private func senderKey(_ row: Row, did: Int64, group: String, sender: String) async throws -> StoredSenderKey? {
        let context = SealingContext.senderKey(did: did, group: group, sender: sender)
        let record = try await record(
            try row["record"], context: context, did: did, kind: "sender_key", name: "\(group) \(sender)")
        return try record.map {
            StoredSenderKey(
                rev: try row["rev"], record: $0, loss: history?.loss(sinceWrite: try row["updated_at"]))
        }
    }

    package func senderKeyMarks(did: Int64, group: String) async throws -> [SenderKeyMark] {
        try await load(did, LoadStatements.senderKeyMarks(.int(did), .text(group)))[0].map { row in
            SenderKeyMark(group: group, address: try row["address"], keyID: try row["key_id"])
        }
    }

    package func groupsSharing(did: Int64, addresses: [String]) async throws -> [String] {
        guard !addresses.isEmpty else { return [] }
        return try await load(did, LoadStatements.groupsSharing(.int(did), .texts(addresses)))[0].map { try $0[0] }
    }

    /// A dictionary of the rows' first column to their second.
    func pairs<Value: SQLDecodable>(_ rows: [Row]) throws -> [String: Value] {
        var pairs: [String: Value] = [:]
        for row in rows { pairs[try row[0]] = try row[1] as Value }
        return pairs
    }
}
