/// What comes back until its task is cancelled.
package enum Recurring {
    /// Runs `body`, waits for `pause`, and so on; without `startsNow` it waits first. A cancelled task ends it, also in a
    /// pause; `body` is never cut short.
    package static func run(
        pausing pause: Duration, startsNow: Bool = true, isolation: isolated (any Actor)? = #isolation,
        _ body: () async -> Void
    ) async {
        var isDue = startsNow
        while !Task.isCancelled {
            if isDue { await body() }
            isDue = true
            guard (try? await Task.sleep(for: pause)) != nil else { return }
        }
    }
}
