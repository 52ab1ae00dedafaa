import Cryptography
import Foundation
import Logging
import Sandbox
import Testing
import Transport

@Suite("A sandbox that keeps its world")
struct PersistenceTests {
    private static func withDirectory(_ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("sandbox-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }

    @Test("linked devices, keys, groups and queued messages are there after a restart, and the root key is the same")
    func restart() async throws {
        try await Self.withDirectory { directory in
            let first = try await TestSandbox.start(directory: directory)
            let ada = try await first.account("12025550100")
            let bob = try await first.account("12025550101")
            let one = try await first.pair(ada)
            let two = try await first.pair(bob)
            let sender = try await first.online(one, keys: 20)
            let lid = try #require(two.lid)
            let message = Stanza.message("M1", to: lid.bare, devices: [lid.bare, lid])
            let ack = try await sender.sendForAck(message)
            let group = await first.world.createGroup(creator: ada, subject: "Kept", participants: [bob.pn]).group.jid
            await first.server.stop()

            try await TestSandbox.with(directory: directory) { second in
                #expect(second.addresses.rootPublicKey == first.addresses.rootPublicKey)
                let sender = try await second.login(one)
                #expect(try await sender.query("get", "encrypt", Stanza("count")).child("count")?["value"] == "20")
                #expect(try await sender.sendForAck(message) == ack)
                let info = try await sender.query("get", "w:g2", to: group, Stanza("query"))
                #expect(info.child("group")?["subject"] == "Kept")
                let receiver = try await second.login(two)
                _ = try await second.activate(receiver)
                let copies = await receiver.pending.filter { $0.tag == "message" }
                #expect(copies.map(\.id) == ["M1"] && copies.first?.from == one.lid)
                let bundle = try await sender.query(
                    "get", "encrypt", Stanza("key", children: [Stanza("user", ["jid": .jid(try #require(one.lid))])]))
                #expect(bundle.child("list", "user")?.child("key", "id")?.bytesContent == [0, 0, 1])
            }
        }
    }

    @Test("a journal is read back to the last whole record, whatever follows it, and can be rewritten")
    func journal() async throws {
        try await Self.withDirectory { directory in
            let logger = Logger(label: "test")
            try await SandboxActor.run {
                let store = try JournalStore(directory: directory, logger: logger)
                for number in 0..<50 { store.put("a/\(number)", Bytes(repeating: UInt8(number), count: 200_000)) }
                store.put("b/1", [1])
                store.put("a/3", [3])
                store.delete("a/4")
                store.commit()
                store.deleteAll(under: "a/1")
                store.commit()
                store.close()
            }
            let path = directory + "/world.journal"
            let handle = try #require(FileHandle(forWritingAtPath: path))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data([0, 1, 2, 3, 1, 0, 0, 0, 9, 0, 0, 0, 9, 9]))
            try handle.close()
            try await SandboxActor.run {
                let store = try JournalStore(directory: directory, logger: logger)
                #expect(store.all(under: "b/").map(\.key) == ["b/1"])
                #expect(store.all(under: "a/3").first { $0.key == "a/3" }?.value == [3])
                #expect(store.all(under: "a/4").map(\.key) == (40..<50).map { "a/\($0)" })
                #expect(store.all(under: "a/1").isEmpty)
                for _ in 0..<60 {
                    store.put("c", Bytes(repeating: 1, count: 500_000))
                    store.commit()
                }
                store.close()
            }
            let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
            #expect(size < 30_000_000)
            try await SandboxActor.run {
                let store = try JournalStore(directory: directory, logger: logger)
                #expect(store.all(under: "c").first?.value.count == 500_000)
                #expect(throws: JournalStore.Failure.self) {
                    try JournalStore(directory: directory, logger: logger)
                }
                store.close()
            }
        }
    }
}

extension SandboxActor {
    /// Runs `body` on the sandbox's thread.
    @SandboxActor
    static func run<Result: Sendable>(_ body: @SandboxActor () throws -> Result) async rethrows -> Result { try body() }
}
