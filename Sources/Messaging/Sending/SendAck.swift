import Transport

/// The server's answer to a sent message (04-message-pipeline, sections 11.2 and 11.3).
///
/// `<ack class="message" id from t [error] [phash] [server_id] [refresh_lid] [addressing_mode]/>`
package struct SendAck: Sendable, Equatable {
    package var messageID: String
    package var timestamp: Timestamp?
    package var error: Int?
    /// Present only when the server counted other devices than we did.
    package var phash: String?
    package var serverID: Int64?
    package var refreshesLID: Bool
    package var addressingMode: GroupInfo.AddressingMode?

    package init?(_ stanza: Stanza) {
        guard stanza.tag == "ack", stanza["class"] == "message", let id = stanza.id else { return nil }
        messageID = id
        timestamp = stanza.int("t").map { Timestamp(seconds: Int64($0)) }
        // What is no code of the service's is stored as its general one.
        let code = stanza["error"].map { Int($0).flatMap(Int16.init(exactly:)).map(Int.init) ?? 500 } ?? 0
        error = code == 0 ? nil : code
        phash = stanza["phash"].flatMap { $0.isEmpty ? nil : $0 }
        serverID = stanza.int("server_id").map(Int64.init)
        refreshesLID = stanza["refresh_lid"] == "true"
        addressingMode = stanza["addressing_mode"].flatMap(GroupInfo.AddressingMode.init(rawValue:))
    }

    /// What an error code asks for.
    package enum Reaction: Sendable, Equatable {
        case fail
        /// The group's addressing mode was stale: rebuild once under the same id.
        case rebuildGroup
        /// The server cannot take it now: repeated after a pause, where nothing later of the chat has been sent; else the caller
        /// may try again later.
        case failTemporarily
        /// Failed, and what we know of the recipient's devices is wrong.
        case failAndForgetDevices
        /// Failed, and the group's metadata is wrong.
        case failAndForgetGroup
        /// Failed for want of a privacy token: issue ours once, never repeat.
        case failAndIssueToken
    }

    package static func reaction(to error: Int, isGroup: Bool) -> Reaction {
        switch error {
        case 421: isGroup ? .rebuildGroup : .fail
        case 408, 429, 500, 503: .failTemporarily
        case 463: .failAndIssueToken
        case 479: .failAndForgetDevices
        case 403 where isGroup: .failAndForgetGroup
        default: .fail
        }
    }
}
