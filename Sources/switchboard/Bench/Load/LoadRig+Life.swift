import Database
import Foundation
import NIOCore

extension LoadRig {
    /// An empty server: its start, and its memory after some seconds.
    func measureStart() async throws {
        let begin = ContinuousClock.now
        let program = try await startGateway(isEmpty: true)
        _ = try await api.text("/health")
        let firstAnswer = (ContinuousClock.now - begin).milliseconds
        try await Task.sleep(for: .seconds(5))
        var report = LoadReport("start of an empty server")
        report.set("port_ms", program.startMilliseconds)
        report.set("first_answer_ms", firstAnswer)
        report.set("rss_mb", ProcessUsage.residentKilobytes(program.processID) / 1024)
        report.set("anonymous_mb", ProcessUsage.anonymousKilobytes(program.processID) / 1024)
        report.set("pss_mb", ProcessUsage.proportionalKilobytes(program.processID) / 1024)
        try report.print()
        await stopGateway()
    }

    /// A start with linked devices until all are logged in; and, when `idle`, the memory of each.
    ///
    /// - Parameters:
    ///   - devices: How many of the linked ones the gateway takes.
    ///   - traffic: Seconds of texts both ways before memory is taken a second time.
    func measureRestart(devices: Int, idle: Bool, traffic: Double) async throws {
        await stopGateway()
        var empty = 0.0
        if idle {
            let program = try await startGateway(isEmpty: true)
            try await Task.sleep(for: .seconds(10))
            empty = ProcessUsage.anonymousKilobytes(program.processID)
            await stopGateway()
        }
        let count = min(devices, world.devices.count)
        let begin = ContinuousClock.now
        let before = processorTimes
        let program = try await startGateway(maximum: count)
        try await waitForLogins(count)
        let took = (ContinuousClock.now - begin).milliseconds / 1000
        var report = LoadReport("restart with \(count) devices")
        report.set("port_ms", program.startMilliseconds)
        report.set("seconds", took)
        report.set("per_second", Double(count) / took)
        report.set(processorTimes - before, over: count)
        report.set("peak_rss_mb", ProcessUsage.peakKilobytes(program.processID) / 1024)
        try report.print()
        guard idle else { return }

        func perDevice() -> Double { (ProcessUsage.anonymousKilobytes(program.processID) - empty) / Double(count) }
        var memory = LoadReport("memory of an idle device, \(count) devices")
        memory.set("empty_anonymous_mb", empty / 1024)
        try await Task.sleep(for: .seconds(30))
        memory.set("after_login_kb", perDevice())
        try await exchange(seconds: traffic)
        try await Task.sleep(for: .seconds(90))
        memory.set("after_traffic_kb", perDevice())
        memory.set("peak_rss_mb", ProcessUsage.peakKilobytes(program.processID) / 1024)
        try memory.print()
    }

    /// Three texts from its phone's peer to each device, and one back.
    private func exchange(seconds: Double) async throws {
        let devices = world.devices
        let (control, api) = (control.base, api.base)
        _ = try await HTTPLoad.run(
            HTTPLoadPlan(base: control, connections: 8, seconds: seconds * 10, limit: devices.count * 3) { _, number in
                let device = devices[number % devices.count]
                return device.incoming("hello \(number)")
            })
        _ = try await HTTPLoad.run(
            HTTPLoadPlan(base: api, connections: 8, seconds: seconds * 10, limit: devices.count) { _, number in
                let device = devices[number % devices.count]
                return device.outgoing("hello \(number)")
            })
    }

    /// Runs a file of SQL.
    func runSQL(_ file: String) async throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, postgres.uri]
        process.standardOutput = FileHandle.standardError
        try process.run()
        while process.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        guard process.terminationStatus == 0 else { throw LoadProgram.Failure(description: "\(file) failed") }
    }
}
