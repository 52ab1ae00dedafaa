import NIOCore
import Tenancy

extension RouteCatalogue {
    static let metricsContentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Metrics behind the admin secret, also where they have a listener of their own (13-configuration, section 13).
    var metricsRoutes: [Route] {
        guard api.isMetricsEnabled else { return [] }
        return [
            Route(
                .get, "/metrics", .admin, "Metrics in Prometheus' text format",
                details: "Names, types and meanings are in docs/metrics.md.", answer: .media("text/plain")
            ) { _ in
                Answer(
                    status: 200,
                    content: .body(
                        await metrics.render(isReady: await readiness()), contentType: Self.metricsContentType))
            }
        ]
    }
}
