/// A record in memory with what its leaving depends on.
protocol IdleSlot {
    var lastUse: Timestamp { get }
    /// Commit of the last image that was written for it; nil when nothing was since the last clean one.
    var imageTicket: CommitTicket? { get }
    /// Commit of its clean image, once it is leaving.
    var cleanTicket: CommitTicket? { get }
}

extension Dictionary where Value: IdleSlot {
    /// What was not used since `limit`: slots that may leave memory now, since the store has all of them, and slots whose
    /// reservations a clean image has to give back first. A slot whose image is not durable yet is neither.
    func idle(since limit: Timestamp, watermark: CommitTicket) -> (gone: [Key], due: [Key]) {
        var idle: (gone: [Key], due: [Key]) = ([], [])
        for (key, slot) in self where slot.lastUse < limit {
            if let ticket = slot.imageTicket {
                if ticket <= watermark { idle.due.append(key) }
            } else if slot.cleanTicket ?? .none <= watermark {
                idle.gone.append(key)
            }
        }
        return idle
    }
}
