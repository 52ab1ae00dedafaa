extension DeviceSession {
    /// The store was replaced by one that may lack the last commits: it gets all that is in memory again, and what is
    /// encrypted from now on waits for that (16-performance-durability, section 1.8).
    package func storeLostCommits() async {
        guard !isClosed, let credentials else { return }
        var draft = makeDraft()
        sessions.rewrite(draft: &draft)
        senderKeys.rewrite(draft: &draft) { sessions.nextRevision() }
        draft.changes.credentials = .store(credentials)
        draft.changes.nextPreKeyID = credentials.nextPreKeyID
        submit(draft)
        // One-time keys may be gone that the server still gives out.
        digestJob = RecurringJob(due: now)
    }
}
