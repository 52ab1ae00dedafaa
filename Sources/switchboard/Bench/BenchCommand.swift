import ArgumentParser
import Foundation

/// `switchboard bench`: measures the hot paths on this machine; `bench load`: the whole product.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure the hot paths on this machine.",
        discussion: "Figures of a debug build mean nothing. Each is the median of five runs.",
        subcommands: [
            LoadCommand.self, BenchCommitsCommand.self, BenchWebhooksCommand.self, BenchWebhookFaultsCommand.self,
            BenchWebhookWorkerCommand.self,
            BenchWebhookProducerCommand.self,
        ])

    @Option(help: "Only benchmarks whose name contains this text.")
    var filter = ""

    @Option(help: "Time to spend on each benchmark, in seconds.")
    var seconds = 1.0

    @Flag(help: "Print one line of JSON for each benchmark.")
    var json = false

    /// Every benchmark there is.
    static let all: [Benchmark] = Benchmark.cryptography + Benchmark.signal + Benchmark.transport + Benchmark.appState

    func run() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for benchmark in BenchCommand.all where filter.isEmpty || benchmark.name.contains(filter) {
            let result = try benchmark.run(seconds: seconds)
            if json {
                print(String(decoding: try encoder.encode(result), as: UTF8.self))
            } else {
                let rate = result.perSecond.formatted(.number.precision(.fractionLength(0)))
                print("\(rate.leftPadded(to: 14)) \(result.unit)  \(result.name)")
            }
        }
    }
}

extension String {
    fileprivate func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
