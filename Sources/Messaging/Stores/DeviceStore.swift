import Cryptography

/// What Messaging reads. One store serves all devices of a process; every function names the device by its `did`.
///
/// Reads see what is committed. The session keeps what it submitted and is not committed yet in memory, so it never reads
/// its own writes back through here. Throws `StoreError` when the store cannot answer.
package protocol DeviceStore: Sendable {
    // Credentials and Signal state
    func credentials(did: Int64) async throws -> DeviceCredentials?
    /// Current and archived states for those of `addresses` that have one.
    func sessions(did: Int64, addresses: [String]) async throws -> [String: StoredSession]
    /// Addresses of all devices of one Signal user (`user` or `user_1`, without `:device`) that have a session or identity.
    func addresses(did: Int64, signalUser: String) async throws -> [String]
    /// Those of `users` (Signal users, as above) that have a session with any of their devices.
    func usersWithSessions(did: Int64, among users: [String]) async throws -> Set<String>
    /// 32-byte identity keys.
    func identities(did: Int64, addresses: [String]) async throws -> [String: [UInt8]]
    func senderKey(did: Int64, group: String, sender: String) async throws -> StoredSenderKey?
    /// All sender keys held of one Signal user, by group: for migration from PN to LID.
    func senderKeys(did: Int64, sender: String) async throws -> [String: StoredSenderKey]
    func senderKeyMarks(did: Int64, group: String) async throws -> [SenderKeyMark]
    /// Groups in which one of these devices was given our key.
    func groupsSharing(did: Int64, addresses: [String]) async throws -> [String]
    func preKey(did: Int64, id: UInt32) async throws -> SecretBytes?
    /// Those of `ids` that are here.
    func preKeys(did: Int64, ids: [UInt32]) async throws -> [UInt32: SecretBytes]
    /// Keys not marked uploaded, lowest ids first, at most `limit`.
    func preKeysToUpload(did: Int64, limit: Int) async throws -> [PreKeyRow]
    /// Number of stored keys that are marked uploaded.
    func uploadedPreKeyCount(did: Int64) async throws -> Int

    // Users and groups
    func lids(did: Int64, pns: [String]) async throws -> [String: String]
    func pns(did: Int64, lids: [String]) async throws -> [String: String]
    func userDevices(did: Int64, users: [String]) async throws -> [String: UserDeviceList]
    func privacyToken(did: Int64, user: String) async throws -> PrivacyTokenRow?
    func contact(did: Int64, jid: String) async throws -> ContactUpdate?
    func group(did: Int64, group: String) async throws -> GroupCacheRow?

    // Messages
    func isHandled(did: Int64, ciphertextHash: [UInt8]) async throws -> Bool
    func message(did: Int64, chat: String, messageID: String) async throws -> MessageRow?
    func messageSecret(did: Int64, chat: String, sender: String, messageID: String) async throws -> [UInt8]?
    /// The kept plaintext of an own message under any of `chats` (a chat may be known by LID and by PN).
    func retry(did: Int64, chats: [String], messageID: String) async throws -> RetryRow?
    /// Intents without a result (`sendBy != nil`), oldest first, at most `limit`: for the start of a session.
    func unsettledSends(did: Int64, limit: Int) async throws -> [RetryRow]
    /// Disappearing timer of a chat in seconds, 0 when off.
    func ephemeralSeconds(did: Int64, chat: String) async throws -> Int
}

package enum StoreError: Error, Sendable, Equatable {
    /// No connection, or the answer took too long. Nothing is known about the rows.
    case unavailable(String)
    /// The row exists and cannot be read (unsealing failed, malformed).
    case corrupt(String)
}
