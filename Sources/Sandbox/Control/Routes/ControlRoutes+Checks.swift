import Cryptography
import HTTPTypes
import OrderedCollections
import Transport

/// What the server's checks of its clients have found so far.
extension ControlRoutes {
    func addChecks() {
        on(.get, "/checks") { call in
            let world = try call.world
            let checks = world.checks
            let kinds = Dictionary(
                world.violationKinds.map { ($0.key, JSONValue.number($0.value)) }, uniquingKeysWith: { $1 })
            return [
                "positions_checked": .number(checks.positions), "key_reuse": .number(checks.keyReuses),
                "answers_checked": .number(checks.answers), "acked_twice": .number(checks.ackedTwice),
                "two_sockets": .number(checks.overlaps), "longest_overlap_ms": .int(checks.longestOverlap),
                "frames_during_overlap": .number(checks.framesDuringOverlap),
                "two_sockets_now": .array(
                    world.connections.values.compactMap { old in
                        old.overlap.map {
                            [
                                "account": .string($0.device.account.phone), "device": .number($0.device.id),
                                "old_connection": .number(old.id), "new_connection": .number($0.by),
                            ]
                        }
                    }),
                "unacknowledged": .number(
                    world.accounts.values.reduce(0) { $0 + $1.companions.reduce(0) { $0 + $1.queueLength } }),
                "violations": .object(kinds),
            ]
        }
        on(.get, "/checks/positions") { call in
            let (sender, receiver) = (call.query("sender"), call.query("receiver"))
            return .array(
                try call.world.ciphertexts.positions
                    .filter { $0.sender == sender ?? $0.sender && $0.receiver == receiver ?? $0.receiver }
                    .map { position in
                        [
                            "sender": .string(position.sender), "receiver": .string(position.receiver),
                            "chain": .string(Hex.encode(position.chain.prefix(8))),
                            "counter": .int(Int64(position.counter)),
                        ]
                    })
        }
    }
}
