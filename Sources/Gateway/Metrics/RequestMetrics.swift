import NIOConcurrencyHelpers

/// Counts and times requests by route pattern. Series are made once per route and status, so that a request costs one
/// look-up.
final class RequestMetrics: Sendable {
    private struct Route {
        let method: String
        let pattern: String
        let duration: HistogramSeries
        var answers: [Int: ScalarSeries] = [:]
    }

    private let registry: MetricsRegistry
    private let inFlight: ScalarSeries
    private let routes = NIOLockedValueBox<[String: Route]>([:])

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        inFlight = registry.scalar("switchboard_http_requests_in_flight", [], .gauge)
    }

    func began() { inFlight.increment(by: 1.0) }

    /// - Parameter name: `GET /devices/me`, or `-` where no route was found.
    func ended(_ name: String, status: Int, after duration: Duration) {
        inFlight.decrement(by: 1.0)
        let (answers, times) = routes.withLockedValue { routes in
            var route = routes[name] ?? make(name)
            let answers = route.answers[status] ?? makeAnswers(route, status)
            if route.answers[status] == nil {
                route.answers[status] = answers
                routes[name] = route
            }
            return (answers, route.duration)
        }
        answers.increment(by: 1.0)
        times.observe(Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18)
    }

    private func make(_ name: String) -> Route {
        let parts = name.split(separator: " ", maxSplits: 1).map(String.init)
        let method = parts.count == 2 ? parts[0] : "other"
        let pattern = parts.count == 2 ? parts[1] : "unmatched"
        return Route(
            method: method, pattern: pattern,
            duration: registry.histogram(
                "switchboard_http_request_duration_seconds", [("method", method), ("route", pattern)]))
    }

    private func makeAnswers(_ route: Route, _ status: Int) -> ScalarSeries {
        registry.scalar(
            "switchboard_http_requests_total",
            [("method", route.method), ("route", route.pattern), ("status", "\(status)")], .counter)
    }
}
