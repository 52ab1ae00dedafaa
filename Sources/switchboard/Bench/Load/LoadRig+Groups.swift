import Foundation

extension LoadRig {
    /// Texts of one device to groups of several sizes whose members have its sender key: what each costs the gateway should
    /// not depend on the size.
    func measureGroups(texts count: Int) async throws {
        guard let device = world.devices.first else { return }
        let sizes = [8, 64, 512, 1024]
        let members = try await people(sizes.max() ?? 0)
        for size in sizes {
            let others = members.prefix(size - 1).map { "\"\($0)\"" }.joined(separator: ",")
            let group = try await control.call(
                "POST", "/v1/groups",
                #"{"creator": "\#(device.phone)", "subject": "Load \#(size)", "participants": [\#(others)]}"#)
            let jid = try group["jid"].text
            let api = api.base
            let plan = HTTPLoadPlan(base: api, connections: 1, seconds: 120, limit: count) { _, number in
                HTTPLoadPlan.request(
                    "POST", "/chats/\(jid)/messages", headers: [("Authorization", "Bearer \(device.token)")],
                    body: #"{"text": "message number \#(number)"}"#)
            }
            // The first brings the sender key to everybody.
            var first = plan
            first.limit = 2
            _ = try await HTTPLoad.run(first)
            try await Task.sleep(for: .seconds(3))
            let before = processorTimes
            let outcome = try await HTTPLoad.run(plan)
            var report = LoadReport("text to a group of \(size), warm")
            report.set(outcome.latencies, in: outcome.seconds)
            report.set(processorTimes - before, over: outcome.latencies.count)
            report.set("failures", Double(outcome.failures))
            try report.print()
            if let failure = outcome.firstFailure { Application.printError(failure) }
        }
    }

    /// Accounts of nobody of ours.
    private func people(_ count: Int) async throws -> [String] {
        let numbers = (0..<count).map { "1777\(1_000_000 + $0)" }
        for number in numbers {
            // A run before may have made it.
            _ = try? await control.call("POST", "/v1/accounts", #"{"phone": "\#(number)", "push_name": "M"}"#)
        }
        return numbers
    }
}
