extension MetricCatalogue {
    /// `docs/metrics.md`.
    package static var markdown: String {
        let rows = all.map { family in
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            return "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |"
        }
        return """
            # Metrics

            `GET /metrics` with `X-Admin-Secret` answers in Prometheus' text format. With `METRICS_ADDRESS=host:port` there is
            also a listener for metrics alone, without credentials; `METRICS_ENABLED=false` switches both off.
            `deploy/prometheus` has a scrape configuration and alert rules, `deploy/grafana` a dashboard.

            No label names a customer, a device or a number, and a metric has at most 1000 series; what would be more is shown
            under labels that say `other`. Values marked "of all nodes" come from the database and are the same on every node:
            take the maximum over nodes, not the sum.

            This file is made from `MetricCatalogue` in the code; a test compares the two.

            | Name | Type | Labels | Meaning |
            | --- | --- | --- | --- |
            \(rows.joined(separator: "\n"))

            """
    }
}
