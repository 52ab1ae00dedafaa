import Foundation
import OrderedCollections

/// How a group is written to the store, key `group/<id>`: JSON.
struct GroupRecord: Codable {
    struct Member: Codable {
        var phone: String
        var state: Group.Participant
    }

    var order: Int
    var id: String
    var creator: String
    var created: Int64
    var mode: String
    var subject: String
    var subjectTime: Int64
    var subjectOwner: String
    var description: Group.Description?
    var isLocked: Bool
    var isAnnouncement: Bool
    var ephemeral: Int
    var memberAddMode: String
    var membershipApproval: Bool
    var inviteCode: String?
    var isSuspended: Bool
    var isDeleted: Bool
    var participantVersion: Int64
    var announcementVersion: Int64
    var participants: [Member]
    var picture: Account.Picture?
    var admission: Group.Admission?
    var community: Group.Community?

    @SandboxActor
    init(_ group: Group, order: Int) {
        self.order = order
        id = group.id
        creator = group.creator
        created = group.created
        mode = group.mode.word
        subject = group.subject
        subjectTime = group.subjectTime
        subjectOwner = group.subjectOwner
        description = group.description
        isLocked = group.isLocked
        isAnnouncement = group.isAnnouncement
        ephemeral = group.ephemeral
        memberAddMode = group.memberAddMode
        membershipApproval = group.membershipApproval
        inviteCode = group.inviteCode
        isSuspended = group.isSuspended
        isDeleted = group.isDeleted
        participantVersion = group.participantVersion
        announcementVersion = group.announcementVersion
        picture = group.picture
        admission = group.admission
        community = group.community
        participants = group.participants.map { Member(phone: $0.key, state: $0.value) }
    }

    @SandboxActor
    func group() -> Group {
        let group = Group(
            id: id, creator: creator, subject: subject, mode: mode == "pn" ? .pn : .lid, created: created)
        group.subjectTime = subjectTime
        group.subjectOwner = subjectOwner
        group.description = description
        group.isLocked = isLocked
        group.isAnnouncement = isAnnouncement
        group.ephemeral = ephemeral
        group.memberAddMode = memberAddMode
        group.membershipApproval = membershipApproval
        group.inviteCode = inviteCode
        group.isSuspended = isSuspended
        group.isDeleted = isDeleted
        group.participantVersion = participantVersion
        group.announcementVersion = announcementVersion
        group.picture = picture
        group.admission = admission ?? Group.Admission()
        group.community = community ?? Group.Community()
        for member in participants { group.participants[member.phone] = member.state }
        return group
    }
}
