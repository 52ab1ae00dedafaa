/// Why a wait in a test ended without what it waited for.
package struct NeverHappened: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// Asks `probe` until it gives a value. The tests' one way of waiting for something that another process does.
package func eventually<Value: Sendable>(
    _ what: String, within limit: Duration = .seconds(90), _ probe: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if let value = try await probe() { return value }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw NeverHappened(description: "\(what) did not happen within \(limit)")
}
