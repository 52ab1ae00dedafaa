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
                device.outgoing("message number \(number)", to: jid)
            }
            // The first brings the sender key to everybody.
            var first = plan
            first.limit = 2
            _ = try await HTTPLoad.run(first)
            try await Task.sleep(for: .seconds(3))
            let before = processorTimes
            let outcome = try await HTTPLoad.run(plan)
            try report("text to a group of \(size), warm", outcome, used: processorTimes - before)
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
