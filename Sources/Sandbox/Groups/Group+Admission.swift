import OrderedCollections

extension Group {
    /// How people come in who are not simply added: link, personal invites, requests (07, sections 13 to 15).
    package struct Admission: Sendable, Equatable, Codable {
        /// A personal invite: somebody's privacy kept a member from adding them.
        package struct Invite: Sendable, Equatable, Codable {
            package let code: String
            /// Phone number digits.
            package let inviter: String
            package let invitee: String
            /// Unix seconds.
            package let expiration: Int64
        }

        /// Somebody who waits for an admin.
        package struct Request: Sendable, Equatable, Codable {
            /// Phone number digits.
            package let phone: String
            /// Unix seconds.
            package let time: Int64
            /// `invite_link`, `linked_group_join` or `non_admin_add`.
            package let method: String
            /// Who tried to add them.
            package let requestor: String?
        }

        package var invites: [Invite] = []
        /// Oldest first.
        package var requests: [Request] = []
        /// Codes of links that were reset.
        package var revokedCodes: [String] = []
        /// Phone numbers that an admin removed: a link does not let them in again.
        package var removed: [String] = []

        package func request(of phone: String) -> Request? { requests.first { $0.phone == phone } }
    }

    /// A group's place in a community (07, section 16).
    package struct Community: Sendable, Equatable, Codable {
        package var isParent = false
        package var defaultApprovalMode: String?
        /// Id of the community the group belongs to.
        package var parent: String?
        /// The community's announcement group.
        package var isDefaultSubGroup = false
        package var isGeneralChat = false
        package var membersMayCreateGroups = false
    }
}
