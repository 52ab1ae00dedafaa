import OrderedCollections
import Transport

/// A group (07, section 3). Members are accounts, not addresses: one row joins PN and LID.
@SandboxActor
package final class Group {
    package enum Role: String, Sendable, Codable {
        case member, admin, superadmin
        package var isAdmin: Bool { self != .member }
    }

    package struct Participant: Sendable, Equatable, Codable {
        package var role: Role
        /// Unix seconds.
        package var joined: Int64
        /// Phone number digits of who added them.
        package var addedBy: String?
    }

    package struct Description: Sendable, Equatable, Codable {
        package var id: String
        package var text: String
        package var time: Int64
        /// Phone number digits.
        package var owner: String
    }

    /// 18 decimal digits.
    package nonisolated let id: String
    /// Phone number digits of the creating account.
    package let creator: String
    package let created: Int64
    package internal(set) var mode: AddressSpace
    package internal(set) var subject: String
    package internal(set) var subjectTime: Int64
    package internal(set) var subjectOwner: String
    package internal(set) var description: Description?
    package internal(set) var isLocked = false
    package internal(set) var isAnnouncement = false
    /// Seconds, 0 = off.
    package internal(set) var ephemeral = 0
    /// `admin_add` or `all_member_add`.
    package internal(set) var memberAddMode = "all_member_add"
    package internal(set) var membershipApproval = false
    package internal(set) var inviteCode: String?
    package internal(set) var picture: Account.Picture?
    package internal(set) var admission = Admission()
    package internal(set) var community = Community()
    package internal(set) var isSuspended = false
    package internal(set) var isDeleted = false
    /// Microseconds since 1970 of the last change of members; strictly increasing.
    package internal(set) var participantVersion: Int64
    package internal(set) var announcementVersion: Int64
    /// Phone number digits → role, creator first, then join order.
    package internal(set) var participants: OrderedDictionary<String, Participant> = [:]

    init(id: String, creator: String, subject: String, mode: AddressSpace, created: Int64) {
        self.id = id
        self.creator = creator
        self.subject = subject
        self.mode = mode
        self.created = created
        subjectTime = created
        subjectOwner = creator
        participantVersion = created * 1_000_000
        announcementVersion = created * 1_000_000
    }

    /// `<18 digits>@g.us`.
    package nonisolated var jid: JID { .group(id) }
}
