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

    /// Runs a plan for a moment to warm everything up, then measures it and prints its line.
    func measure(_ name: String, _ plan: HTTPLoadPlan) async throws {
        var warmUp = plan
        warmUp.seconds = min(2, plan.seconds)
        _ = try await HTTPLoad.run(warmUp)
        let before = processorTimes
        let outcome = try await HTTPLoad.run(plan)
        var report = LoadReport(name)
        report.set(outcome.latencies, in: outcome.seconds)
        report.set(processorTimes - before, over: outcome.latencies.count)
        report.set("failures", Double(outcome.failures))
        try report.print()
        if let failure = outcome.firstFailure { Application.printError("\(name): \(failure)") }
    }
}
