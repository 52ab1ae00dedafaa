import Database
import Foundation
import GatewayTestSupport
import TestSupport
import Testing

@Suite("Statements that requests cost")
struct StatementCountTests {
    private static let calls = Statement(
        "test.calls",
        """
        SELECT coalesce(sum(calls), 0)::bigint FROM public.pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
        WHERE r.rolname LIKE 'sb\\_%'
        """)

    @Test("a device that asks for itself costs no statement but one look at its row a second")
    func ownDevice() async throws {
        try await GatewayFixture.runCounted { fixture in
            let device = try await fixture.device(of: fixture.tenant())
            try await fixture.pair(device)
            let pool = fixture.test.pool(size: 1)
            func count() async throws -> Int64 { try await pool.query(Self.calls).first?[0] ?? 0 }

            let before = try await count()
            let begin = ContinuousClock.now
            for _ in 0..<500 {
                let answer = try await fixture.device(device, "GET", "/devices/me")
                #expect(answer.status == 200)
            }
            let seconds = (ContinuousClock.now - begin).components.seconds
            // The row, and the scope it is read in.
            #expect(try await count() - before <= 2 * (seconds + 2))

            let untilThen = try await count()
            for _ in 0..<20 { _ = try await fixture.device(device, "GET", "/webhooks") }
            #expect(try await count() - untilThen >= 20, "the counter counts")
            await pool.shutdown()
        }
    }
}
