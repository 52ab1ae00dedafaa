import Database
import Messaging

extension CommitBatch {
    mutating func addUsers(_ tenants: [Int64: Int64]) {
        var (displaced, pairs, lists, forgotten, tokens, contacts, groups, forgottenGroups) =
            (RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet())
        for device in devices {
            let did = SQLValue.int(device.did)
            let tenant = SQLValue(tenants[device.did])
            for lid in device.displacedLIDs { displaced.append(did, .text(lid), .null) }
            for (lid, pn) in device.lidToPN {
                displaced.append(did, .text(lid), .text(pn))
                pairs.append(did, .text(lid), .text(pn))
            }
            for (user, state) in device.userDevices {
                switch state {
                case .list(let list):
                    lists.append(
                        did, .text(user), .text(Self.arrayText(list.devices)), .text(Self.arrayText(list.hosted)),
                        SQLValue(list.hash), SQLValue(list.rawID), SQLValue(list.keyIndex.map(Int32.init(clamping:))),
                        SQLValue(list.timestamp), SQLValue(list.fetchedAt))
                case .forgotten: forgotten.append(did, .text(user))
                }
            }
            for token in device.privacyTokens.values {
                tokens.append(
                    did, .text(token.user), .bytes(token.token), .int(token.timestamp), SQLValue(token.senderTimestamp))
            }
            for contact in device.contacts.values {
                contacts.append(
                    did, tenant, .text(contact.jid), SQLValue(contact.pushName), SQLValue(contact.businessName))
            }
            for group in device.groups.values {
                if let info = group.info {
                    groups.append(did, .text(group.group), .bytes(JSONText.storable(info)), SQLValue(group.fetchedAt))
                } else {
                    forgottenGroups.append(did, .text(group.group))
                }
            }
        }
        append(UserCommitStatements.displaceLIDs, displaced)
        append(UserCommitStatements.upsertLIDs, pairs)
        append(UserCommitStatements.upsertUserDevices, lists)
        append(UserCommitStatements.deleteUserDevices, forgotten)
        append(UserCommitStatements.upsertPrivacyTokens, tokens)
        append(UserCommitStatements.upsertContacts, contacts)
        append(UserCommitStatements.upsertGroups, groups)
        append(UserCommitStatements.deleteGroups, forgottenGroups)
    }

    mutating func addMessages(_ tenants: [Int64: Int64]) {
        var (handled, readable, messages, revived) = (RowSet(), RowSet(), RowSet(), RowSet())
        for device in devices {
            let did = SQLValue.int(device.did)
            for (hash, timestamp) in device.handled { handled.append(did, .bytes(hash), .int(timestamp)) }
            guard options.storesMessages else { continue }
            for row in device.messages {
                if row.type != MessageRow.placeholderType && !row.fromMe {
                    readable.append(did, .text(row.chat), .text(row.messageID), .bool(row.fromMe))
                }
                let full = options.storesContent
                if row.isIntent {
                    revived.append(
                        did, .text(row.chat), .text(row.messageID), .text(row.type), SQLValue(full ? row.body : nil),
                        SQLValue(full ? row.content : nil), SQLValue(row.quotedID))
                }
                messages.append(
                    did, SQLValue(tenants[device.did]), .text(row.chat), .text(row.messageID), .bool(row.fromMe),
                    SQLValue(row.timestamp), .text(row.sender), SQLValue(row.senderAlternative),
                    SQLValue(full ? row.pushName : nil), SQLValue(row.serverID), .text(row.type),
                    SQLValue(full ? row.body : nil), SQLValue(full ? row.content : nil),
                    SQLValue(full ? row.media.map(JSONText.storable) : nil), SQLValue(row.quotedID),
                    SQLValue(row.status.rawValue), SQLValue(row.origin.rawValue))
            }
        }
        append(MessageCommitStatements.insertHandled, handled)
        append(MessageCommitStatements.deletePlaceholders, readable)
        append(MessageCommitStatements.reviveMessages, revived)
        append(MessageCommitStatements.insertMessages, messages)
        if options.storesMessages { addMessageUpdates() }
    }

    /// A message may occur once per statement: its second update goes into a second statement, and so on.
    private mutating func addMessageUpdates() {
        var rounds: [RowSet] = []
        for device in devices {
            for (key, updates) in device.messageUpdates {
                for (round, update) in updates.enumerated() {
                    if round == rounds.count { rounds.append(RowSet()) }
                    let full = options.storesContent
                    rounds[round].append(
                        .int(device.did), .text(key.chat), .text(key.messageID), .bool(key.fromMe),
                        SQLValue(update.status?.rawValue), SQLValue(update.serverTimestamp), SQLValue(update.serverID),
                        SQLValue(update.deletedAt), SQLValue(update.edit?.at), SQLValue(full ? update.edit?.body : nil),
                        SQLValue(full ? update.edit?.content : nil), SQLValue(update.author?.first),
                        SQLValue(update.author?.last))
                }
            }
        }
        for rows in rounds { append(MessageCommitStatements.updateMessages, rows) }
    }

    mutating func addMessageState(_ tenants: [Int64: Int64]) throws {
        var (receipts, secrets, retries, settled, read, chats, begun, finished, jobs) =
            (RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet())
        var (abandoned, fates, failed) = (RowSet(), RowSet(), RowSet())
        for device in devices {
            let did = SQLValue.int(device.did)
            for (key, times) in device.receipts {
                receipts.append(
                    did, .text(key.chat), .text(key.messageID), .text(key.recipient), SQLValue(times.delivered),
                    SQLValue(times.read), SQLValue(times.played))
            }
            for (key, secret) in device.secrets {
                let context = SealingContext.messageSecret(did: device.did, messageID: key.messageID)
                secrets.append(
                    did, .text(key.chat), .text(key.sender), .text(key.messageID),
                    .bytes(try envelope.storedRecord(secret, context: context)))
            }
            for row in device.retries.values {
                let context = SealingContext.retry(did: device.did, messageID: row.messageID)
                retries.append(
                    did, .text(row.chat), .text(row.messageID), .text(row.format),
                    .bytes(try envelope.storedContent(row.plaintext, context: context)),
                    SQLValue(row.sendBy), SQLValue(row.insertedAt))
            }
            for name in device.settledSends { settled.append(did, .text(name.chat), .text(name.messageID)) }
            for (name, fate) in device.failedSends {
                guard case .failed(let reason, let code) = fate else { continue }
                failed.append(
                    did, .text(name.chat), .text(name.messageID), .text(reason.rawValue), SQLValue(code))
            }
            for chat in device.chats.values {
                if chat.markRead { read.append(did, .text(chat.chat)) }
                chats.append(
                    did, SQLValue(tenants[device.did]), .text(chat.chat), .text(chat.kind.rawValue),
                    SQLValue(chat.name),
                    SQLValue(chat.lastMessage?.id), SQLValue(chat.lastMessage?.at), SQLValue(chat.unreadIncrement),
                    SQLValue(chat.ephemeral?.seconds), SQLValue(chat.ephemeral?.setAt))
            }
            for (key, begin) in device.idempotencyBegun {
                begun.append(
                    did, .text(key), .bytes(begin.hash), SQLValue(begin.message?.chat),
                    SQLValue(begin.message?.messageID))
            }
            for key in device.idempotencyAbandoned { abandoned.append(did, .text(key)) }
            for (key, fate) in device.idempotencyFates {
                switch fate {
                case .sent(let at, let serverID):
                    fates.append(did, .text(key), SQLValue(at), SQLValue(serverID), .null, .null)
                case .failed(let reason, let code):
                    fates.append(did, .text(key), .null, .null, .text(reason.rawValue), SQLValue(code))
                }
            }
            for (key, answer) in device.idempotencyFinished {
                finished.append(did, .text(key), SQLValue(answer.code), .bytes(answer.body))
            }
            for job in device.jobs.values {
                jobs.append(
                    did, .text(job.kind.rawValue), .text(job.key), .bytes(job.payload), SQLValue(job.createdAt))
            }
        }
        append(MessageCommitStatements.upsertReceipts, receipts)
        append(MessageCommitStatements.insertSecrets, secrets)
        append(MessageCommitStatements.upsertRetries, retries)
        append(MessageCommitStatements.settleSends, settled)
        append(MessageCommitStatements.noteFailures, failed)
        append(MessageCommitStatements.markChatsRead, read)
        append(MessageCommitStatements.upsertChats, chats)
        append(MessageCommitStatements.abandonIdempotency, abandoned)
        append(MessageCommitStatements.beginIdempotency, begun)
        append(MessageCommitStatements.finishIdempotency, finished)
        append(MessageCommitStatements.noteFates, fates)
        append(MessageCommitStatements.insertJobs, jobs)
    }

    /// `{0,1,7}`
    private static func arrayText(_ numbers: [UInt16]) -> String {
        "{" + numbers.map { String($0) }.joined(separator: ",") + "}"
    }
}

/// JSON that `jsonb` can hold.
enum JSONText {
    /// Replaces the escape of U+0000, which `jsonb` refuses, by that of U+FFFD. A backslash that is itself escaped does not
    /// start an escape.
    static func storable(_ json: [UInt8]) -> [UInt8] {
        let zero = Array("\\u0000".utf8)
        guard json.count >= zero.count, json.contains(UInt8(ascii: "\\")) else { return json }
        var result: [UInt8] = []
        result.reserveCapacity(json.count)
        var index = 0
        while index < json.count {
            guard json[index] == UInt8(ascii: "\\"), index + 1 < json.count else {
                result.append(json[index])
                index += 1
                continue
            }
            if json[index...].starts(with: zero) {
                result.append(contentsOf: "\\ufffd".utf8)
                index += zero.count
            } else {
                result.append(contentsOf: json[index...index + 1])
                index += 2
            }
        }
        return result
    }
}
