import Messaging
import Storage

/// Part of a list: `limit` and an opaque `cursor` (10-rest-api, section 2.12). The cursor is the place of the page's last row,
/// so that rows made or deleted meanwhile neither hide nor repeat one.
struct Page: Sendable {
    let limit: Int
    /// Where the page before ended; nil on the first.
    let before: ListPosition?
    private let query: Query

    /// - Throws: 400 for a cursor that no page gave: taken for the first page, it would make a client read in circles.
    init(_ query: Query, default: Int = 1000) throws(APIError) {
        self.query = query
        limit = query.integer("limit", default: `default`, in: 1...1000)
        guard let text = query["cursor"], !text.isEmpty else {
            before = nil
            return
        }
        guard let position = Self.position(text) else {
            throw .validation("cursor must be the X-Next-Cursor of the page before", field: "cursor")
        }
        before = position
    }

    /// Layout: `<microseconds since 1970>.<id>`, both decimal.
    private static func position(_ text: String) -> ListPosition? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let time = Int64(parts[0]), let id = Int64(parts[1]), time >= 0, id >= 0 else {
            return nil
        }
        return ListPosition(time: Timestamp(microseconds: time), id: id)
    }

    /// The answer for `found`, which holds one row more than the page when there are more.
    func answer<Row: Sendable>(
        _ message: String, _ found: [Row], at position: (Row) -> ListPosition,
        data: @escaping @Sendable (inout JSONWriter, [Row]) -> Void
    ) -> Answer {
        let rows = Array(found.prefix(limit))
        let answer = Answer.ok(message) { data(&$0, rows) }
        guard let cursor = cursor(after: found, at: position) else { return answer }
        let next = query.replacing([("limit", "\(limit)"), ("cursor", cursor)])
        return answer.with("X-Next-Cursor", cursor).with("Link", "<?\(next)>; rel=\"next\"")
    }

    /// Where the page of `found` ends; nil when there is no more behind it.
    func cursor<Row>(after found: [Row], at position: (Row) -> ListPosition) -> String? {
        guard found.count > limit, let last = found.prefix(limit).last.map(position) else { return nil }
        return "\(last.time.microseconds).\(last.id)"
    }
}
