/// One measurement: the median of several runs.
struct BenchResult: Codable, Sendable {
    let name: String
    /// Operations of one run, and how long they took.
    let iterations: Int
    let seconds: Double
    /// Operations per second of the median run, or megabytes per second where `unit` says so.
    let perSecond: Double
    /// The same of the fastest run, which other work on the machine disturbs least.
    let best: Double
    let unit: String
}

/// Something that can be measured.
struct Benchmark: Sendable {
    let name: String
    /// What `perSecond` counts: `op/s`, or `MB/s` with `bytes` per operation.
    let unit: String
    let bytes: Int
    /// Sets the work up. What it returns makes a run of a number of operations, whose making is not timed.
    let prepare: @Sendable () throws -> (Int) throws -> () throws -> Void

    init(
        _ name: String, unit: String = "op/s", bytes: Int = 0,
        prepare: @escaping @Sendable () throws -> (Int) throws -> () throws -> Void
    ) {
        self.name = name
        self.unit = unit
        self.bytes = bytes
        self.prepare = prepare
    }

    /// A benchmark of an operation that needs nothing set up between its runs.
    static func repeating(
        _ name: String, unit: String = "op/s", bytes: Int = 0,
        prepare: @escaping @Sendable () throws -> () throws -> Void
    ) -> Benchmark {
        Benchmark(name, unit: unit, bytes: bytes) {
            let operation = try prepare()
            return { count in { for _ in 0..<count { try operation() } } }
        }
    }

    /// Measures for about `seconds`: calibrates, then takes the median of five runs.
    func run(seconds: Double) throws -> BenchResult {
        let work = try prepare()
        let budget = max(seconds, 0.01) / 6
        var count = 1
        var duration = try Benchmark.time(work(count))
        while duration < budget / 4, count < 1 << 30 {
            count = duration > 0 ? max(count * 2, Int(Double(count) * min(budget / 4 / duration, 100))) : count * 10
            duration = try Benchmark.time(work(count))
        }
        count = max(1, Int(Double(count) * budget / max(duration, 1e-9)))
        let runs = try (0..<5).map { _ in try Benchmark.time(work(count)) }.sorted()
        let median = runs[runs.count / 2]
        let scale = unit == "MB/s" ? Double(count) * Double(bytes) / 1e6 : Double(count)
        return BenchResult(
            name: name, iterations: count, seconds: median, perSecond: scale / max(median, 1e-9),
            best: scale / max(runs[0], 1e-9), unit: unit)
    }

    private static func time(_ body: () throws -> Void) rethrows -> Double {
        let elapsed = try ContinuousClock().measure(body).components
        return Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
    }
}

/// Keeps a result alive, so that the optimiser cannot drop the work that made it.
@inline(never)
func keep<Value>(_ value: Value) {}
