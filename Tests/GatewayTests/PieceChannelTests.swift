import NIOCore
import Testing

@testable import Gateway

@Suite("Pieces of a streamed answer")
struct PieceChannelTests {
    @Test("pieces come in order, then the end")
    func order() async throws {
        let pieces = PieceChannel()
        let maker = Task {
            for number in 0..<100 { try await pieces.send(ByteBuffer(integer: number)) }
            pieces.finish(nil)
        }
        var read: [Int] = []
        while var piece = try await pieces.next() { read.append(piece.readInteger() ?? -1) }
        #expect(read == Array(0..<100))
        try await maker.value
    }

    @Test("a maker's failure reaches the reader")
    func failure() async throws {
        let pieces = PieceChannel()
        pieces.finish(APIError.badRequest)
        await #expect(throws: APIError.self) { try await pieces.next() }
    }

    @Test("a cancelled reader throws, also when it was cancelled before it read; its maker is let go")
    func cancelledReader() async throws {
        for _ in 0..<200 {
            let pieces = PieceChannel()
            let reader = Task { while try await pieces.next() != nil {} }
            let maker = Task { while true { try await pieces.send(ByteBuffer()) } }
            reader.cancel()
            await #expect(throws: CancellationError.self) { try await reader.value }
            await #expect(throws: CancellationError.self) { try await maker.value }
        }
    }

    @Test("a cancelled maker is let go whenever it was cancelled")
    func cancelledMaker() async throws {
        for _ in 0..<200 {
            let pieces = PieceChannel()
            let maker = Task { while true { try await pieces.send(ByteBuffer()) } }
            maker.cancel()
            await #expect(throws: CancellationError.self) { try await maker.value }
        }
    }
}
