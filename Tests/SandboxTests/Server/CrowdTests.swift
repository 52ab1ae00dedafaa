import Cryptography
import Sandbox
import Testing
import Transport

@Suite("Many devices at once")
struct CrowdTests {
    @Test("a server restart ends every session with 503, refuses upgrades, and lets everybody back in")
    func restart() async throws {
        try await TestSandbox.with({ $0.clock = .virtual }) { sandbox in
            let companions = try await withThrowingTaskGroup(of: Companion.self) { group in
                for number in 0..<60 {
                    group.addTask { try await sandbox.pair(try await sandbox.account("1202555\(1000 + number)")) }
                }
                var companions: [Companion] = []
                for try await companion in group { companions.append(companion) }
                return companions
            }
            func everybody() async throws -> [ScriptedClient] {
                try await withThrowingTaskGroup(of: ScriptedClient.self) { group in
                    for companion in companions { group.addTask { try await sandbox.online(companion, keys: 0) } }
                    var clients: [ScriptedClient] = []
                    for try await client in group { clients.append(client) }
                    return clients
                }
            }
            let clients = try await everybody()
            await SandboxActor.run(on: sandbox.world) { $0.restartServer(refusingFor: 5) }
            for client in clients {
                #expect(try await client.next("503") { $0.tag == "stream:error" }["code"] == "503")
            }
            await #expect(throws: TestFailure.self) { try await sandbox.login(companions[0]) }
            await sandbox.world.clock.advance(by: 5_000)
            let again = try await everybody()
            for client in again { #expect(try await client.query("get", "w:p").type == "result") }
        }
    }
}
