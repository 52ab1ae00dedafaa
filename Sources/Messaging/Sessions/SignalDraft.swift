import Signal

/// The change set of one synchronous stretch, with what must be told to the records once it is durable.
///
/// Between making a draft and submitting it nothing may suspend: images carry the draft's ticket.
package struct SignalDraft: Sendable {
    package let ticket: CommitTicket
    package var changes: ChangeSet
    /// Tickets of earlier submissions that what was encrypted depends on, and `ticket` itself when an image is in here.
    package private(set) var cover = CommitTicket.none
    package var sessionReceipts: [(address: SignalAddress, receipt: SessionImageReceipt)] = []
    package var senderKeyReceipts: [(name: SenderKeyName, receipt: SenderKeyImageReceipt)] = []

    package init(ticket: CommitTicket, changes: ChangeSet) {
        self.ticket = ticket
        self.changes = changes
    }

    package mutating func require(_ ticket: CommitTicket) { cover = max(cover, ticket) }
}

/// Names a sender-key record: the group as JID text and the sender's Signal address.
package struct SenderKeyName: Sendable, Hashable {
    package var group: String
    package var sender: SignalAddress

    package init(group: String, sender: SignalAddress) {
        self.group = group
        self.sender = sender
    }

    /// The same device under another name of its user.
    func renamed(_ user: String) -> SenderKeyName { SenderKeyName(group: group, sender: sender.renamed(user)) }
}
