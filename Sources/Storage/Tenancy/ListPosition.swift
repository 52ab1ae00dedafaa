import Foundation
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

    /// A row whose time is held as a `Date`, which tells microseconds apart.
    package init(date: Date, id: Int64) {
        self.init(time: Timestamp(microseconds: Int64((date.timeIntervalSince1970 * 1_000_000).rounded())), id: id)
    }
}
