import Database
import Foundation
import NIOCore

extension LoadRig {
    /// The network to WhatsApp is gone for `seconds`, for all devices, while phones go on writing to them.
    func measureCut(devices count: Int, seconds: Double) async throws {
        await stopGateway()
        let relay = try await relayToSandbox()
        try await startGateway()
        try await waitForLogins(count)
        let sink = try await LoadSink.start()
        let devices = Array(world.devices.prefix(64))
        try await subscribe(devices, to: sink)
        _ = relay.takeAttempts()
        let before = try await disconnects()

        relay.cut()
        let begin = NIODeadline.now()
        async let readiness = unreadyAnswers(for: seconds)
        let sent = try await HTTPLoad.run(texts(devices, rate: 10, count: Int(10 * seconds), seconds: seconds + 30))
        while NIODeadline.now() < begin + .nanoseconds(Int64(seconds * 1e9)) {
            try await Task.sleep(for: .milliseconds(50))
        }
        let unready = try await readiness
        let refused = relay.takeAttempts()
        relay.mend()
        let mended = NIODeadline.now()
        try await waitForLogins(count)
        let loggedIn = Double((NIODeadline.now() - mended).nanoseconds) / 1e9
        let arrived = try await waitForArrivals(sent.latencies.count - sent.failures, at: sink)
        let attempts = refused + relay.takeAttempts()

        var report = LoadReport("network cut of \(Int(seconds)) s, \(count) devices")
        report.set("attempts_while_cut", Double(refused.count))
        report.set("attempts", Double(attempts.count))
        report.set("most_attempts_in_a_second", Double(Self.densest(attempts)))
        report.set("not_ready_answers", Double(unready))
        report.set("all_logged_in_after_s", loggedIn)
        report.set("sent", Double(sent.latencies.count - sent.failures))
        report.set("arrived", Double(arrived.count))
        report.set("disconnects", try await disconnects() - before)
        try report.print()
        await sink.stop()
        await stopGateway()
        frontOfSandbox = nil
        await relay.stop()
    }

    /// Every answer of PostgreSQL comes 200 ms late for a while, then none for 10 s, then all is well: while phones write 500
    /// texts a second.
    func measureSlowDatabase(devices count: Int, seconds: Double) async throws {
        await stopGateway()
        let relay = try await LoadRelay.start(to: .socket(path: databaseSocket))
        frontOfDatabase = relay
        let program = try await startGateway()
        try await waitForLogins(count)
        let sink = try await LoadSink.start()
        let devices = Array(world.devices.prefix(64))
        try await subscribe(devices, to: sink)
        try await warm(devices, sink)
        let before = try await disconnects()
        let resident = ProcessUsage.residentKilobytes(program.processID) / 1024

        relay.delay(.milliseconds(200))
        let texts = texts(devices, rate: 500, count: Int(500 * (seconds + 10)), seconds: seconds + 90)
        async let sending = HTTPLoad.run(texts)
        try await Task.sleep(for: .seconds(seconds))
        let (slow, _) = try await sink.take()
        relay.hold()
        try await Task.sleep(for: .seconds(10))
        relay.delay(.zero)
        relay.resume()
        let mended = NIODeadline.now()
        let sent = try await sending
        let expected = sent.latencies.count - sent.failures - slow.count
        let rest = try await waitForArrivals(expected, at: sink)
        let recovered = Double((rest.last - mended).nanoseconds) / 1e9

        var report = LoadReport("database late by 200 ms, then silent for 10 s, 500 texts/s, \(count) devices")
        var latencies = slow
        report.set("sent", Double(sent.latencies.count - sent.failures))
        report.set("arrived", Double(slow.count + rest.count))
        report.set("late_p50_ms", latencies.milliseconds(0.5))
        report.set("recovered_after_s", recovered)
        report.set("disconnects", try await disconnects() - before)
        report.set("rss_before_mb", resident)
        report.set("peak_rss_mb", ProcessUsage.peakKilobytes(program.processID) / 1024)
        try report.print()
        await sink.stop()
        await stopGateway()
        frontOfDatabase = nil
        await relay.stop()
    }

    private var databaseSocket: String {
        let items = URLComponents(string: postgres.uri)?.queryItems ?? []
        return (items.first { $0.name == "host" }?.value ?? "") + "/.s.PGSQL.5432"
    }

    /// Waits until so many texts arrived, or none came for 30 s.
    private func waitForArrivals(_ expected: Int, at sink: LoadSink) async throws -> (count: Int, last: NIODeadline) {
        var (count, since) = (0, NIODeadline.now())
        while NIODeadline.now() < since + .seconds(30) {
            let now = try await sink.count
            if now != count { (count, since) = (now, .now()) }
            if count >= expected { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        let (latencies, last) = try await sink.take()
        return (latencies.count, last)
    }

    /// How many answers of `GET /ready` were no 200, asked ten times a second.
    private func unreadyAnswers(for seconds: Double) async throws -> Int {
        let request = HTTPLoadPlan.request("GET", "/ready", headers: [])
        let outcome = try await HTTPLoad.run(
            HTTPLoadPlan(base: api.base, connections: 1, seconds: seconds, rate: 10) { _, _ in request })
        return outcome.failures
    }

    /// Sessions that lost their connection, by the gateway's own count.
    private func disconnects() async throws -> Double {
        let page = try await admin.text("/metrics")
        let lines = page.split(separator: "\n").filter { $0.hasPrefix("switchboard_session_disconnects_total{") }
        return lines.reduce(0) { $0 + ($1.split(separator: " ").last.flatMap { Double($0) } ?? 0) }
    }

    private static func densest(_ times: [NIODeadline]) -> Int {
        let sorted = times.sorted()
        var (first, most) = (0, 0)
        for index in sorted.indices {
            while sorted[first] + .seconds(1) <= sorted[index] { first += 1 }
            most = max(most, index - first + 1)
        }
        return most
    }
}
