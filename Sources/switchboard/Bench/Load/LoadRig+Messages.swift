import Foundation
import NIOCore

extension LoadRig {
    /// Texts of one device one after another, then of 16 devices at once: each to a phone, durable, until WhatsApp's ack.
    func measureSends(seconds: Double) async throws {
        try await measure("send text, one device", sends(devices: 1, connections: 1, seconds: seconds))
        try await measure("send text, 16 devices", sends(devices: 16, connections: 16, seconds: seconds))
    }

    /// What a text costs, by 16 callers over all devices.
    func measureCost(seconds: Double) async throws {
        try await measure(
            "send text, 16 callers over \(world.devices.count) devices",
            sends(devices: world.devices.count, connections: 16, seconds: seconds))
    }

    func sends(devices count: Int, connections: Int, seconds: Double) -> HTTPLoadPlan {
        let devices = Array(world.devices.prefix(count))
        let base = api.base
        return HTTPLoadPlan(base: base, connections: connections, seconds: seconds) { connection, number in
            // Callers do not meet on a device; each goes over its share.
            let share = max(1, devices.count / connections)
            let device = devices[(connection * share + number % share) % devices.count]
            return device.outgoing("message number \(number)")
        }
    }

    /// From a phone's text to the answer of the webhook's endpoint, over up to 64 devices: at 200 a second, then with as
    /// many as go.
    func measureReceiving(seconds: Double) async throws {
        let sink = try await LoadSink.start()
        let devices = Array(world.devices.prefix(64))
        try await subscribe(devices, to: sink)
        try await warm(devices, sink)
        let steady = Int(200 * seconds)
        try await receive(
            "stanza in to webhook answered, 200/s", texts(devices, rate: 200, count: steady, seconds: seconds + 30),
            sink)
        let many = Int(1000 * seconds)
        try await receive(
            "stanza in to webhook answered, sustained", texts(devices, rate: nil, count: many, seconds: 120), sink)
        await sink.stop()
    }

    /// Gives each device one webhook, to the sink.
    func subscribe(_ devices: [LoadWorld.Device], to sink: LoadSink) async throws {
        let url = try await sink.url
        for device in devices {
            let caller = api.with("Authorization", "Bearer \(device.token)")
            for old in try await caller.call("GET", "/webhooks")["data"]["webhooks"].items {
                _ = try await caller.call("DELETE", "/webhooks/\(Int64(old["id"].number))")
            }
            _ = try await caller.call("POST", "/webhooks", #"{"url": "\#(url)", "events": ["message.received"]}"#)
        }
    }

    /// Sessions of all pairs.
    func warm(_ devices: [LoadWorld.Device], _ sink: LoadSink) async throws {
        try await receive(
            "warm-up", texts(devices, rate: nil, count: devices.count * 4, seconds: 60), sink, isShown: false)
    }

    func texts(_ devices: [LoadWorld.Device], rate: Double?, count: Int, seconds: Double) -> HTTPLoadPlan {
        HTTPLoadPlan(
            base: control.base, connections: 16, seconds: seconds, limit: count, rate: rate
        ) { _, number in
            let device = devices[number % devices.count]
            let text = "\(LoadSink.mark)\(NIODeadline.now().uptimeNanoseconds)"
            return device.incoming(text)
        }
    }

    private func receive(_ name: String, _ plan: HTTPLoadPlan, _ sink: LoadSink, isShown: Bool = true) async throws {
        _ = try await sink.take()
        let before = processorTimes
        let begin = NIODeadline.now()
        let outcome = try await HTTPLoad.run(plan)
        let expected = outcome.latencies.count - outcome.failures
        let deadline = ContinuousClock.now + .seconds(60)
        while try await sink.count < expected, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(10))
        }
        let used = processorTimes - before
        let (latencies, last) = try await sink.take()
        if let failure = outcome.firstFailure { Application.printError("\(name): \(failure)") }
        guard isShown else { return }
        var report = LoadReport(name)
        report.set(latencies, in: Double((last - begin).nanoseconds) / 1e9)
        report.set(used, over: latencies.count)
        report.set("sent", Double(expected))
        report.set("failures", Double(outcome.failures))
        try report.print()
    }
}
