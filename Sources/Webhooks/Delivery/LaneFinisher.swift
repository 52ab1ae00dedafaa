import Foundation
import Logging
import Storage

/// Writes what runs came to, of as many lanes at once as gathered while the batch before was written.
actor LaneFinisher {
    private let repository: OutboxRepository
    private let nodeID: UUID
    private let logger: Logger
    private var waiting: [(lane: FinishedLane, done: CheckedContinuation<Void, Never>)] = []
    private var isWriting = false

    private static let lanesPerBatch = 256

    init(repository: OutboxRepository, nodeID: UUID, logger: Logger) {
        self.repository = repository
        self.nodeID = nodeID
        self.logger = logger
    }

    /// Returns when the outcomes are stored, or when storing them was given up: then the lane's time runs out and its
    /// rows are sent again.
    func finish(_ lane: FinishedLane) async {
        await withCheckedContinuation { done in
            waiting.append((lane, done))
            guard !isWriting else { return }
            isWriting = true
            // A task of its own: a cancelled one could not reach the database.
            Task { await self.writeAll() }
        }
    }

    private func writeAll() async {
        while !waiting.isEmpty {
            let batch = Array(waiting.prefix(Self.lanesPerBatch))
            waiting.removeFirst(batch.count)
            await store(batch.map(\.lane))
            for entry in batch { entry.done.resume() }
        }
        isWriting = false
    }

    private func store(_ lanes: [FinishedLane]) async {
        var pause = Duration.milliseconds(50)
        while true {
            do {
                return try await repository.finish(lanes, node: nodeID)
            } catch {
                // The endpoints have the events; forgetting that would send them again.
                guard pause < .seconds(10) else {
                    logger.warning(
                        "outcomes of deliveries could not be stored",
                        metadata: ["lanes": "\(lanes.count)", "error": "\(error)"])
                    return
                }
                try? await Task.sleep(for: pause)
                pause *= 2
            }
        }
    }
}
