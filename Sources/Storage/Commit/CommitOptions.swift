/// How the group commit stores what sessions hand it.
package struct CommitOptions: Sendable {
    /// `MESSAGE_STORE_ENABLED`: whether message rows are kept.
    package var storesMessages: Bool
    /// `MESSAGE_STORE_CONTENT=full`; false keeps ids and times only (14-storage, section 4.2).
    package var storesContent: Bool
    /// Events that go only to webhooks which name them.
    package var optInEvents: Set<String>
    /// `WEBHOOKS_ENABLED`: whether events are stored at all.
    package var storesEvents: Bool
    /// How long a set may wait before its future fails with `unavailable`; it stays queued (16, section 1.8).
    package var patience: Duration
    /// How long a set that nobody waits for may wait for the batch of others.
    package var gathering: Duration
    /// Most sets in one batch, and most bytes (16, section 5.3).
    package var maximumSets: Int
    package var maximumBytes: Int

    package init(
        storesMessages: Bool = true, storesContent: Bool = true, optInEvents: Set<String> = [],
        storesEvents: Bool = true,
        patience: Duration = .seconds(75), gathering: Duration = .milliseconds(10), maximumSets: Int = 256,
        maximumBytes: Int = 1 << 20
    ) {
        self.storesMessages = storesMessages
        self.storesContent = storesContent
        self.optInEvents = optInEvents
        self.storesEvents = storesEvents
        self.patience = patience
        self.gathering = gathering
        self.maximumSets = maximumSets
        self.maximumBytes = maximumBytes
    }
}
