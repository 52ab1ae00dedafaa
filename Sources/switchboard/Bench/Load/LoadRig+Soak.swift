import Foundation
import NIOCore

extension LoadRig {
    /// Texts both ways over all devices at a steady rate, and the memory of the gateway each minute.
    ///
    /// - Parameter rate: Texts a second in each direction.
    func measureSoak(seconds: Double, rate: Double) async throws {
        guard let program = gateway else { return }
        let devices = world.devices
        let (control, api) = (control.base, api.base)
        let received = HTTPLoadPlan(base: control, connections: 4, seconds: seconds, rate: rate) { _, number in
            let device = devices[number % devices.count]
            return device.incoming("number \(number)")
        }
        let sent = HTTPLoadPlan(base: api, connections: 4, seconds: seconds, rate: rate) { _, number in
            let device = devices[number % devices.count]
            return device.outgoing("number \(number)")
        }
        async let incoming = HTTPLoad.run(received)
        async let outgoing = HTTPLoad.run(sent)
        let begin = ContinuousClock.now
        var minute = 0
        while ContinuousClock.now + .seconds(60) <= begin + .seconds(seconds) {
            try await Task.sleep(for: .seconds(60))
            minute += 1
            var report = LoadReport("traffic, minute \(minute), \(devices.count) devices")
            report.set("anonymous_mb", ProcessUsage.anonymousKilobytes(program.processID) / 1024)
            report.set("rss_mb", ProcessUsage.residentKilobytes(program.processID) / 1024)
            report.set("per_device_kb", ProcessUsage.anonymousKilobytes(program.processID) / Double(devices.count))
            report.set("logged_in", Double(try await loggedIn()))
            try report.print()
        }
        try report("traffic of \(Int(seconds)) s, received", try await incoming)
        try report("traffic of \(Int(seconds)) s, sent", try await outgoing)
    }

    /// How long small requests take beside texts both ways: what traffic does to the loops that requests and the sockets of
    /// devices share.
    func measureMixed(seconds: Double) async throws {
        let sink = try await LoadSink.start()
        let devices = Array(world.devices.prefix(64))
        try await subscribe(devices, to: sink)
        try await warm(devices, sink)
        let requests = devices.prefix(4).map { device in
            HTTPLoadPlan.request("GET", "/devices/me", headers: [("Authorization", "Bearer \(device.token)")])
        }
        var sending = sends(devices: 16, connections: 16, seconds: seconds)
        sending.rate = 150
        let incoming = texts(devices, rate: 150, count: Int(150 * seconds), seconds: seconds + 10)
        async let sent = HTTPLoad.run(sending)
        async let received = HTTPLoad.run(incoming)
        let small = HTTPLoadPlan(base: api.base, connections: 4, seconds: seconds, rate: 100) { connection, _ in
            requests[connection % requests.count]
        }
        try await measure("GET /devices/me, 100/s, beside 150 texts/s each way", small)
        try report("texts sent beside", try await sent)
        try report("texts of phones beside", try await received)
        await sink.stop()
    }
}
