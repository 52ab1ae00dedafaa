import Database
import Messaging

extension PostgresDeviceStore {
    // MARK: Users and groups

    package func lids(did: Int64, pns: [String]) async throws -> [String: String] {
        if pns.isEmpty { return [:] }
        return try pairs(try await load(did, LoadStatements.lids(.int(did), .texts(pns)))[0])
    }

    package func pns(did: Int64, lids: [String]) async throws -> [String: String] {
        if lids.isEmpty { return [:] }
        return try pairs(try await load(did, LoadStatements.pns(.int(did), .texts(lids)))[0])
    }

    package func userDevices(did: Int64, users: [String]) async throws -> [String: UserDeviceList] {
        if users.isEmpty { return [:] }
        var lists: [String: UserDeviceList] = [:]
        for row in try await load(did, LoadStatements.userDevices(.int(did), .texts(users)))[0] {
            let user: String = try row["user_id"]
            let devices: [Int32] = try row["devices"]
            let hosted: [Int32] = try row["hosted"]
            lists[user] = UserDeviceList(
                user: user, devices: devices.map(UInt16.init(clamping:)), hosted: hosted.map(UInt16.init(clamping:)),
                hash: try row["hash"], rawID: try row["raw_id"], keyIndex: try row["key_index"],
                timestamp: try row["ts"], fetchedAt: try row["fetched_at"])
        }
        return lists
    }

    package func privacyToken(did: Int64, user: String) async throws -> PrivacyTokenRow? {
        try await first(did, LoadStatements.privacyToken(.int(did), .text(user))).map { row in
            PrivacyTokenRow(
                user: user, token: try row["token"], timestamp: try row["ts"], senderTimestamp: try row["sender_ts"])
        }
    }

    package func contact(did: Int64, jid: String) async throws -> ContactUpdate? {
        try await first(did, LoadStatements.contact(.int(did), .text(jid))).map { row in
            func name(_ column: String) throws -> String? {
                let text: String = try row[column]
                return text.isEmpty ? nil : text
            }
            return ContactUpdate(jid: jid, pushName: try name("push_name"), businessName: try name("business_name"))
        }
    }

    package func group(did: Int64, group: String) async throws -> GroupCacheRow? {
        try await first(did, LoadStatements.group(.int(did), .text(group))).map { row in
            GroupCacheRow(group: group, info: try row["info"], fetchedAt: try row["fetched_at"])
        }
    }

    // MARK: Messages

    package func isHandled(did: Int64, ciphertextHash: [UInt8]) async throws -> Bool {
        try await first(did, LoadStatements.isHandled(.int(did), .bytes(ciphertextHash))) != nil
    }

    package func message(did: Int64, chat: String, messageID: String) async throws -> MessageRow? {
        try await first(did, LoadStatements.message(.int(did), .text(chat), .text(messageID))).map(MessageRow.init)
    }

    package func messageSecret(
        did: Int64, chat: String, sender: String, messageID: String
    ) async throws -> [UInt8]? {
        let statement = LoadStatements.messageSecret(.int(did), .text(chat), .text(sender), .text(messageID))
        guard let row = try await first(did, statement) else { return nil }
        let context = SealingContext.messageSecret(did: did, messageID: messageID)
        do {
            return try envelope.record(stored: try row["secret"], context: context)
        } catch {
            throw StoreError.corrupt(context)
        }
    }

    package func retry(did: Int64, chats: [String], messageID: String) async throws -> RetryRow? {
        try await first(did, LoadStatements.retry(.int(did), .texts(chats), .text(messageID))).flatMap {
            try retry($0, did: did)
        }
    }

    package func unsettledSends(did: Int64, limit: Int) async throws -> [RetryRow] {
        try await load(did, LoadStatements.unsettledSends(.int(did), SQLValue(limit)))[0].compactMap {
            try retry($0, did: did)
        }
    }

    package func ephemeralSeconds(did: Int64, chat: String) async throws -> Int {
        try await first(did, LoadStatements.ephemeralSeconds(.int(did), .text(chat)))?[0] ?? 0
    }

    /// Nil when no known data key opens the plaintext: it is as if its days were over.
    private func retry(_ row: Row, did: Int64) throws -> RetryRow? {
        let messageID: String = try row["message_id"]
        let stored: [UInt8] = try row["plaintext"]
        let context = SealingContext.retry(did: did, messageID: messageID)
        guard let plaintext = try? envelope.content(stored: stored, context: context) else { return nil }
        return RetryRow(
            chat: try row["chat"], messageID: messageID, format: try row["format"], plaintext: plaintext,
            sendBy: try row["send_by"], insertedAt: try row["inserted_at"],
            idempotencyKey: try row["idempotency_key"])
    }
}

extension MessageRow {
    init(_ row: Row) throws {
        self.init(
            chat: try row["chat"], messageID: try row["message_id"], fromMe: try row["from_me"],
            timestamp: try row["ts"], sender: try row["sender"], senderAlternative: try row["sender_alt"],
            pushName: try row["push_name"], serverID: try row["server_id"], type: try row["type"],
            body: try row["body"], content: try row["content"], media: try row["media"],
            quotedID: try row["quoted_id"], status: MessageStatus(rawValue: try row["status"]) ?? .pending,
            origin: MessageOrigin(rawValue: try row["origin"]) ?? .live)
    }
}
