import Foundation
import Signal
import Transport

/// A group's metadata in memory.
struct CachedGroup: Sendable {
    var info: GroupInfo
    var fetchedAt: Timestamp

    /// Metadata is good for an hour; notifications patch or drop it (16, section 4.6).
    func isFresh(at now: Timestamp) -> Bool { now.seconds - fetchedAt.seconds < 3600 }
}

extension DeviceSession {
    package func groupInfo(_ group: String) async throws -> GroupInfo {
        guard let jid = JID(group), jid.isGroup else { throw SessionError.invalidRecipient(group) }
        try await readyForRequests()
        return try await fetchGroup(jid)
    }

    /// For a send: from memory or the table while fresh, else from the server.
    func group(_ group: JID) async throws -> GroupInfo {
        let name = group.description
        if let cached = groups[name], cached.isFresh(at: now) { return cached.info }
        if groups.peek(name) == nil, !isForgotten(.group(name), since: tickets.watermark) {
            let watermark = tickets.watermark
            guard let row = try await load({ try await store.group(did: did, group: name) }),
                !isForgotten(.group(name), since: watermark), let bytes = row.info, let info = GroupInfo(json: bytes)
            else { return try await fetchGroup(group) }
            let cached = CachedGroup(info: info, fetchedAt: row.fetchedAt)
            if cached.isFresh(at: now), groupsStaleSince.map({ row.fetchedAt > $0 }) ?? true {
                groups[name] = cached
                return info
            }
        }
        return try await fetchGroup(group)
    }

    /// Asks the server. Throws `notInGroup` (403), `groupNotFound` (404, 410).
    func fetchGroup(_ group: JID) async throws -> GroupInfo {
        let name = group.description
        try await sharedFlight(.group(name)) {
            let answer: Stanza
            do {
                answer = try await query { GroupInfo.query(id: $0, group: group) }
            } catch SessionError.serverRefused(let code, let text) {
                switch code {
                case 403: throw SessionError.notInGroup
                case 404, 410: throw SessionError.groupNotFound
                default: throw SessionError.serverRefused(code: code, text: text)
                }
            }
            guard let node = answer.child("group"), let info = GroupInfo(node: node) else {
                throw SessionError.malformedAnswer("group info without group")
            }
            record { remember(info, in: &$0) }
        }
        guard let cached = groups[name] else { throw SessionError.groupNotFound }
        return cached.info
    }

    func remember(_ info: GroupInfo, in changes: inout ChangeSet) {
        groups[info.jid] = CachedGroup(info: info, fetchedAt: now)
        changes.groups.append(GroupCacheRow(group: info.jid, info: info.json, fetchedAt: now))
        learn(info.lidPairs, in: &changes)
    }

    func forgetGroup(_ group: JID, in changes: inout ChangeSet) {
        groups[group.description] = nil
        forgotten[.group(group.description)] = tickets.next
        changes.groups.append(GroupCacheRow(group: group.description, info: nil, fetchedAt: now))
    }

    // MARK: Who has our key

    /// Marks of a group: which devices hold which of our keys.
    func marks(of group: JID) async throws -> Set<SenderKeyMark> {
        let name = group.description
        while true {
            if let marks = keyMarks[name] { return marks }
            // Marks that are being removed would be read back.
            if let removal = forgotten[.marks] { try await committed(removal) }
            let watermark = tickets.watermark
            let stored = Set(try await load { try await store.senderKeyMarks(did: did, group: name) })
            if let marks = keyMarks[name] { return marks }
            if isForgotten(.marks, since: watermark) { continue }
            keyMarks[name] = stored
            return stored
        }
    }

    /// No mark in memory is trusted any more; the removals are part of the draft that is being made.
    func forgetMarks() {
        keyMarks.removeAll()
        forgotten[.marks] = tickets.next
    }

    /// Whether a row was forgotten by a commit after `watermark`.
    func isForgotten(_ row: ForgottenRow, since watermark: CommitTicket) -> Bool {
        forgotten[row].map { $0 > watermark } ?? false
    }

    /// Devices are gone: every group in which one of them was given our key gets a new one, also groups that are not in
    /// memory (03, section 10.3).
    func rotateKeys(heldBy addresses: [SignalAddress]) async throws {
        guard !addresses.isEmpty else { return }
        let names = Set(addresses.map(\.description))
        let stored = try await load { try await store.groupsSharing(did: did, addresses: names.sorted()) }
        let cached = keyMarks.values.flatMap { $0.filter { names.contains($0.address) }.map(\.group) }
        let shared = Set(stored + cached).sorted().compactMap(JID.init(_:))
        for group in shared { if let name = ownSenderKey(group) { try await loadSenderKey(name) } }
        var draft = makeDraft()
        for group in shared { rotateSenderKey(group, draft: &draft) }
        submit(draft)
    }

    /// A new own key for the next message: somebody left (03, section 10.3). The slot must be loaded.
    func rotateSenderKey(_ group: JID, draft: inout SignalDraft) {
        guard let name = ownSenderKey(group) else { return }
        senderKeys.rotate(name, revision: sessions.nextRevision(), draft: &draft)
        keyMarks[group.description] = []
    }
}

extension GroupInfo {
    /// As the cache row holds it.
    var json: [UInt8]? { (try? JSONEncoder().encode(self)).map(Array.init) }

    init?(json: [UInt8]) {
        guard let info = try? JSONDecoder().decode(GroupInfo.self, from: Data(json)) else { return nil }
        self = info
    }
}
