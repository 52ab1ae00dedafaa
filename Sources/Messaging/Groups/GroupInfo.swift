/// Metadata of a group (07-groups-communities, section 4). JIDs are bare texts.
package struct GroupInfo: Sendable, Equatable, Codable {
    package enum AddressingMode: String, Sendable, Codable { case pn, lid }

    package struct Participant: Sendable, Equatable, Codable {
        package enum Role: String, Sendable, Codable { case member, admin, superadmin }

        /// In the addressing mode of the group.
        package var jid: String
        package var phoneNumber: String?
        package var lid: String?
        package var role: Role

        package init(jid: String, phoneNumber: String? = nil, lid: String? = nil, role: Role = .member) {
            self.jid = jid
            self.phoneNumber = phoneNumber
            self.lid = lid
            self.role = role
        }
    }

    package var jid: String
    package var subject: String
    package var owner: String?
    package var description: String?
    /// Unix seconds.
    package var createdAt: Int64
    package var addressingMode: AddressingMode
    package var participants: [Participant]
    /// Only admins may send.
    package var isAnnouncement: Bool
    /// Only admins may change the group's settings.
    package var isLocked: Bool
    /// 0 when off.
    package var ephemeralSeconds: Int
    package var isParentGroup: Bool
    package var linkedParent: String?

    package init(
        jid: String, subject: String = "", owner: String? = nil, description: String? = nil, createdAt: Int64 = 0,
        addressingMode: AddressingMode = .pn, participants: [Participant] = [], isAnnouncement: Bool = false,
        isLocked: Bool = false, ephemeralSeconds: Int = 0, isParentGroup: Bool = false, linkedParent: String? = nil
    ) {
        self.jid = jid
        self.subject = subject
        self.owner = owner
        self.description = description
        self.createdAt = createdAt
        self.addressingMode = addressingMode
        self.participants = participants
        self.isAnnouncement = isAnnouncement
        self.isLocked = isLocked
        self.ephemeralSeconds = ephemeralSeconds
        self.isParentGroup = isParentGroup
        self.linkedParent = linkedParent
    }
}
