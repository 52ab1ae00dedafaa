import Foundation
import NIOCore

extension LoadRig {
    /// `GET /devices/me` over 64 connections.
    func measureHTTP(seconds: Double) async throws {
        let requests = world.devices.prefix(64).map { device in
            HTTPLoadPlan.request("GET", "/devices/me", headers: [("Authorization", "Bearer \(device.token)")])
        }
        let plan = HTTPLoadPlan(base: api.base, connections: 64, seconds: seconds) { connection, _ in
            requests[connection % requests.count]
        }
        try await measure("GET /devices/me, 64 connections", plan)
    }

    /// Pages of 100: the customer's devices, and a chat's messages.
    func measurePages(seconds: Double) async throws {
        guard let device = world.devices.first, let key = world.apiKey else { return }
        let devices = HTTPLoadPlan.request("GET", "/devices?limit=100", headers: [("X-API-Key", key)])
        let messages = HTTPLoadPlan.request(
            "GET", "/chats/\(device.peer)/messages?limit=100", headers: [("Authorization", "Bearer \(device.token)")])
        for (name, page) in [("devices", devices), ("messages", messages)] {
            try await measure(
                "page of 100 \(name), 16 connections",
                HTTPLoadPlan(base: api.base, connections: 16, seconds: seconds) { _, _ in page })
        }
    }

    /// `POST /devices/token` of 64 devices that are not linked, each request from an address of its own.
    func measureTokens(seconds: Double) async throws {
        let key = try await customer()
        var bodies: [String] = []
        for index in 0..<64 {
            let made = try await key.call("POST", "/devices", #"{"device_name": "Token \#(index)"}"#)["data"]
            bodies.append(
                #"{"device_id": "\#(try made["device_id"].text)", "device_secret": "\#(try made["device_secret"].text)"}"#
            )
        }
        let plan = HTTPLoadPlan(base: api.base, connections: 64, seconds: seconds) { [bodies] connection, number in
            let address = "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
            return HTTPLoadPlan.request(
                "POST", "/devices/token", headers: [("X-Forwarded-For", address)],
                body: bodies[connection % bodies.count])
        }
        try await measure("POST /devices/token, 64 connections", plan)
    }

    /// How long small requests take, alone and beside pages of all devices that are asked for as fast as they come: what one
    /// request does to the loop that others, and the sockets of devices, share with it.
    func measureLag(seconds: Double) async throws {
        let requests = world.devices.prefix(4).map { device in
            HTTPLoadPlan.request("GET", "/devices/me", headers: [("Authorization", "Bearer \(device.token)")])
        }
        let small = HTTPLoadPlan(base: api.base, connections: 4, seconds: seconds, rate: 100) { connection, _ in
            requests[connection % requests.count]
        }
        let page = HTTPLoadPlan.request(
            "GET", "/admin/devices?limit=1000", headers: [("X-Admin-Secret", world.adminSecret)])
        let large = HTTPLoadPlan(base: api.base, connections: 2, seconds: seconds) { _, _ in page }
        try await measure("GET /devices/me, 100/s, alone", small)
        async let pages = HTTPLoad.run(large)
        try await measure("GET /devices/me, 100/s, beside pages of devices", small)
        try report("GET /admin/devices?limit=1000, 2 connections", try await pages)
    }

    /// Runs a plan for a moment to warm everything up, then measures it and prints its line.
    func measure(_ name: String, _ plan: HTTPLoadPlan) async throws {
        var warmUp = plan
        warmUp.seconds = min(2, plan.seconds)
        _ = try await HTTPLoad.run(warmUp)
        let before = processorTimes
        let outcome = try await HTTPLoad.run(plan)
        try report(name, outcome, used: processorTimes - before)
    }

    /// Prints the line of a run, with the processor time of each process for an operation when it is known.
    func report(_ name: String, _ outcome: HTTPLoadOutcome, used: ProcessorTimes? = nil) throws {
        var report = LoadReport(name)
        report.set(outcome.latencies, in: outcome.seconds)
        if let used { report.set(used, over: outcome.latencies.count) }
        report.set("failures", Double(outcome.failures))
        try report.print()
        if let failure = outcome.firstFailure { Application.printError("\(name): \(failure)") }
    }
}
