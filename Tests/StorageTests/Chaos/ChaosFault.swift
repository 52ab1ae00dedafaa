/// Deliberate mistakes, one at a time, each of which the simulation must find (16-performance-durability, section 1.12).
enum ChaosFault: String, CaseIterable, Sendable {
    /// A frame leaves though the commit it waited for failed.
    case releaseOnFailedCommit
    /// A group message waits for its group key only, not for the copies that carry the key.
    case skipMaximum
    /// A clean image is written and the reservation is used on.
    case cleanWriteKeepsLease
    /// What a receive stores holds the chain as it stands, not as it is parked.
    case liveInReceiveImage
    /// A new chain passes for covered because the one before it was.
    case inheritBound
    /// Deleting a record lets go what waits for its commit.
    case tombstoneReleases
    /// Sets that are put into one batch lose the rows of all but the newest.
    case dropEarlierSets
    /// Of the images of a record in one batch the earliest is stored.
    case earlierImageWins
    /// A record that is deleted in a batch stays.
    case deletionLost
    /// What counters are to rise by does not add up over the sets of a batch.
    case countOnce
    /// A batch whose rows are refused is said to be stored.
    case refusedPasses
    /// What was submitted behind refused rows, and may build upon them, is stored all the same.
    case laterSetsPass
    /// The rows of one device are refused, and the others of the batch fail with it.
    case refusedTogether
    /// A batch whose outcome is unknown is sent again, and nobody asks for its position.
    case askNoPosition
    /// A prekey's row goes before the session it made is stored.
    case preKeyOneBatchEarly
    /// The store applies images in whatever order they come.
    case applyLowerRevision
    /// After the store was away, records are read while sets that are still queued may change them.
    case loadBeforeQueued
    /// A record that was read long ago is taken though a newer one was written and left memory since.
    case adoptStaleLoad
    /// A retry receipt is acknowledged before its answer has left.
    case ackRetryEarly
    /// The store lost commits, and nobody takes what it holds for older than it is.
    case trustFailedOver
}

/// What an oracle found.
struct ChaosFinding: Error, CustomStringConvertible {
    let oracle: String
    let detail: String
    var description: String { "\(oracle): \(detail)" }
}
