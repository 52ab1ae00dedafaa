import Messaging

/// A row's place in a list that is ordered by creation time, then id, both descending (10-rest-api, section 2.12): where a
/// page ended, so that rows made meanwhile shift nothing.
package struct ListPosition: Sendable, Equatable {
    package let time: Timestamp
    package let id: Int64

    package init(time: Timestamp, id: Int64) {
        self.time = time
        self.id = id
    }
}
