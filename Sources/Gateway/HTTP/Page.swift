/// Part of a list: `limit` and an opaque `cursor` (10-rest-api, section 2.12).
struct Page: Sendable {
    let limit: Int
    let offset: Int
    private let query: Query

    init(_ query: Query) {
        self.query = query
        limit = query.integer("limit", default: 1000, in: 1...1000)
        // The cursor is "o" and the number of rows passed.
        offset = query["cursor"].flatMap { $0.hasPrefix("o") ? Int($0.dropFirst()) : nil }.map { max(0, $0) } ?? 0
    }

    /// The answer for `found`, which holds one row more than the page when there are more.
    func answer<Row: Sendable>(
        _ message: String, _ found: [Row], data: @escaping @Sendable (inout JSONWriter, [Row]) -> Void
    ) -> Answer {
        let rows = Array(found.prefix(limit))
        let answer = Answer.ok(message) { data(&$0, rows) }
        guard found.count > limit else { return answer }
        let cursor = "o\(offset + limit)"
        let next = query.replacing([("limit", "\(limit)"), ("cursor", cursor)])
        return answer.with("X-Next-Cursor", cursor).with("Link", "<?\(next)>; rel=\"next\"")
    }

    /// The answer for this page of `all`.
    func answer<Row: Sendable>(
        _ message: String, of all: [Row], data: @escaping @Sendable (inout JSONWriter, [Row]) -> Void
    ) -> Answer {
        answer(message, Array(all.dropFirst(offset).prefix(limit + 1)), data: data)
    }
}
