import Cryptography
import Database
import Foundation
import Logging
import Messaging
import NIOCore
import NIOPosix
import Testing

@testable import Storage

@Suite("What waits for commits in a process")
struct CommitBacklogTests {
    @Test("queues of several loops count together, and what is stored counts no more")
    func together() async throws {
        try await CommitFixture.run { fixture in
            let load = CommitBacklog()
            let queues = (0..<2).map { _ in
                GroupCommit(
                    eventLoop: MultiThreadedEventLoopGroup.singleton.next(), database: fixture.storage.database,
                    nodeID: fixture.nodeID, envelope: fixture.envelope, options: CommitOptions(), load: load,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), onEvents: { _ in },
                    pause: { _ in try? await Task.sleep(for: .milliseconds(5)) })
            }
            let leases = [try await fixture.device(), try await fixture.device()]
            try await fixture.storage.script("ALTER TABLE sb.messages RENAME TO messages_away")
            var waiting: [EventLoopFuture<Void>] = []
            for (queue, lease) in zip(queues, leases) {
                waiting.append(
                    try await queue.eventLoop.submit {
                        queue.submit(
                            ChangeSet(lease) {
                                $0.messages = [.sample(id: "1", body: String(repeating: "x", count: 100_000))]
                            })
                    }.get())
            }
            #expect(queues.allSatisfy { $0.pendingBytes > 100_000 })
            #expect(load.bytes == queues[0].pendingBytes + queues[1].pendingBytes)
            #expect(queues.allSatisfy { $0.processBytes == load.bytes })
            try await fixture.storage.script("ALTER TABLE sb.messages_away RENAME TO messages")
            for future in waiting { try await future.get() }
            #expect(load.bytes == 0)
            for queue in queues { try await queue.shutdown(timeout: .seconds(5)) }
        }
    }
}
