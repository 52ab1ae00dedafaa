import Metrics
import Synchronization

/// Backend of the metrics API: holds every series of the process and writes them in Prometheus' text format.
///
/// A family has at most `seriesLimit` series; what would be more is counted in
/// `switchboard_metric_series_dropped_total` and goes into one series whose labels all say `other`. So no caller can
/// make memory grow by inventing label values. Thread-safe.
package final class MetricsRegistry: MetricsFactory {
    /// The one of the process.
    package static let process = MetricsRegistry()

    private static let seriesLimit = 1000

    private enum Series {
        case scalar(ScalarSeries)
        case histogram(HistogramSeries)
    }

    private struct Family {
        let description: MetricFamily
        /// By the labels as they are written.
        var series: [String: Series] = [:]
        var order: [String] = []
    }

    private struct State {
        var families: [String: Family] = [:]
        var dropped = 0
    }

    private let state = Mutex(State())

    package init() {}

    // MARK: Making series

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        scalar(label, dimensions, .counter)
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler { scalar(label, dimensions, .counter) }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        scalar(label, dimensions, .gauge)
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler { aggregate ? histogram(label, dimensions) : scalar(label, dimensions, .gauge) }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    // Series stay: a counter that went away would look like a restart.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    func scalar(_ name: String, _ labels: [(String, String)], _ kind: MetricFamily.Kind) -> ScalarSeries {
        let made = series(name, labels, kind) { _ in .scalar(ScalarSeries()) }
        guard case .scalar(let series) = made else { return ScalarSeries() }
        return series
    }

    func histogram(_ name: String, _ labels: [(String, String)]) -> HistogramSeries {
        let made = series(name, labels, .histogram) { .histogram(HistogramSeries(bounds: $0.buckets)) }
        guard case .histogram(let series) = made else { return HistogramSeries(bounds: []) }
        return series
    }

    private func series(
        _ name: String, _ labels: [(String, String)], _ kind: MetricFamily.Kind, make: (MetricFamily) -> Series
    ) -> Series {
        let name = PrometheusText.name(name)
        return state.withLock { state in
            let description =
                state.families[name]?.description ?? MetricCatalogue.byName[name]
                ?? MetricFamily(name, kind, "Not described.", labels: labels.map(\.0))
            var key = PrometheusText.labels(labels)
            var family = state.families[name] ?? Family(description: description)
            if let known = family.series[key] { return known }
            if family.series.count >= Self.seriesLimit {
                state.dropped += 1
                key = PrometheusText.labels(labels.map { ($0.0, "other") })
                if let known = family.series[key] { return known }
            }
            let made = make(description)
            family.series[key] = made
            family.order.append(key)
            state.families[name] = family
            return made
        }
    }

    // MARK: Showing them

    /// Everything, in the text format, version 0.0.4.
    package var text: String {
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        var text = PrometheusText()
        for (_, family) in families.sorted(by: { $0.key < $1.key }) {
            text.head(family.description)
            for labels in family.order {
                switch family.series[labels] {
                case .scalar(let series): text.line(family.description.name, labels, series.value)
                case .histogram(let series): text.histogram(family.description.name, labels, series)
                case nil: break
                }
            }
        }
        if let description = MetricCatalogue.byName["switchboard_metric_series_dropped_total"] {
            text.head(description)
            text.line(description.name, "", Double(dropped))
        }
        return text.text
    }
}

/// The text format, line by line.
struct PrometheusText {
    private(set) var text = ""

    mutating func head(_ family: MetricFamily) {
        text += "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.kind.rawValue)\n"
    }

    mutating func line(_ name: String, _ labels: String, _ value: Double) {
        text += name + (labels.isEmpty ? "" : "{\(labels)}") + " " + Self.number(value) + "\n"
    }

    mutating func histogram(_ name: String, _ labels: String, _ series: HistogramSeries) {
        let snapshot = series.snapshot
        let prefix = labels.isEmpty ? "" : labels + ","
        var sum: UInt64 = 0
        for (bound, count) in zip(series.bounds, snapshot.counts) {
            sum += count
            line(name + "_bucket", prefix + "le=\"\(Self.number(bound))\"", Double(sum))
        }
        line(name + "_bucket", prefix + "le=\"+Inf\"", Double(snapshot.total))
        line(name + "_sum", labels, snapshot.sum)
        line(name + "_count", labels, Double(snapshot.total))
    }

    static func number(_ value: Double) -> String {
        Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    /// `a="x",b="y"`.
    static func labels(_ labels: [(String, String)]) -> String {
        labels.map { "\(name($0.0))=\"\(escaped($0.1))\"" }.joined(separator: ",")
    }

    /// Letters, digits and `_`; anything else becomes `_`.
    static func name(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 == 0x5F || isDigit($0) }
        if isPlain { return text }
        return String(decoding: text.utf8.map { isWord($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F || isDigit(byte)
    }

    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x22 || $0 == 0x5C || $0 == 0x0A }) else { return text }
        return text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
