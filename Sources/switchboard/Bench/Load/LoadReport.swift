import Foundation

/// How long the operations of a run took, in nanoseconds.
struct Latencies: Sendable {
    private(set) var values: [Int64] = []
    private var isSorted = true

    var count: Int { values.count }

    mutating func add(_ nanoseconds: Int64) {
        values.append(nanoseconds)
        isSorted = false
    }

    /// Milliseconds that a share of all operations did not exceed; 0 without operations.
    ///
    /// - Parameter share: 0.5 is the median.
    mutating func milliseconds(_ share: Double) -> Double {
        if !isSorted {
            values.sort()
            isSorted = true
        }
        guard !values.isEmpty else { return 0 }
        let index = min(values.count - 1, Int(Double(values.count) * share))
        return Double(values[index]) / 1e6
    }
}

/// One line of JSON: what was measured, and its figures by name.
struct LoadReport: Encodable, Sendable {
    let name: String
    private(set) var figures: [String: Double] = [:]

    init(_ name: String) { self.name = name }

    /// Kept with three decimals.
    mutating func set(_ name: String, _ value: Double) {
        figures[name] = value.isFinite ? (value * 1000).rounded() / 1000 : 0
    }

    /// Operations, their rate and the two percentiles that the aims name.
    mutating func set(_ latencies: Latencies, in seconds: Double) {
        var latencies = latencies
        set("count", Double(latencies.count))
        set("seconds", seconds)
        set("per_second", Double(latencies.count) / max(seconds, 1e-9))
        set("p50_ms", latencies.milliseconds(0.5))
        set("p99_ms", latencies.milliseconds(0.99))
    }

    /// Microseconds of processor time of each process for one of `count` operations.
    mutating func set(_ usage: ProcessorTimes, over count: Int) {
        let count = Double(max(count, 1))
        set("gateway_cpu_us", usage.gateway / count * 1e6)
        set("postgres_cpu_us", usage.postgres / count * 1e6)
        set("sandbox_cpu_us", usage.sandbox / count * 1e6)
        set("generator_cpu_us", usage.generator / count * 1e6)
    }

    func print() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Application.printLine(String(decoding: try encoder.encode(self), as: UTF8.self))
    }
}
