import Database
import Messaging
import TestSupport
import Testing

@testable import Storage

/// What a page of messages costs does not depend on how many there are (16-performance-durability, section 8; B20).
@Suite("Plans of messages")
struct MessagePlanTests {
    /// Pages of the database that a page of a chat with two names touches, as a tenant's request asks for it.
    private static func pages(
        _ fixture: StorageFixture, _ scope: DeviceScope, _ statement: Statement, before: String?
    ) async throws -> Int {
        let explained = ExplainedStatement(
            statement: statement, types: "bigint, text[], text, text, timestamptz, timestamptz, text, int",
            values: "\(scope.did), '{1@s.whatsapp.net,2@lid}', \(before.map { "'\($0)'" } ?? "NULL"), "
                + "NULL, NULL, NULL, NULL, 50")
        let results = try await fixture.database.pipeline(.device(scope), explained.statements)
        let touched = try explained.touched(results)
        #expect(touched.rows == 50)
        return touched.pages
    }

    @Test(
        "a page of a chat touches no more of the database when it has twenty thousand messages than when it has hundreds"
    )
    func flat() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let device = try await fixture.device(of: tenant)
            let scope = DeviceScope(tenantID: tenant.id, did: device.did)
            func fill(_ range: ClosedRange<Int>) async throws {
                try await fixture.script(
                    """
                    INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body)
                    SELECT \(tenant.id), \(device.did), CASE WHEN n % 3 = 0 THEN '2@lid' ELSE '1@s.whatsapp.net' END,
                      'A' || n, false, now() - make_interval(secs => n), '1@s.whatsapp.net', 'text', 'hello'
                    FROM generate_series(\(range.lowerBound), \(range.upperBound)) n;
                    ANALYZE sb.messages;
                    """)
            }
            let asked: [(Statement, String?)] = [
                (MessageStatements.pageBackward, nil), (MessageStatements.pageForward, nil),
                (MessageStatements.pageBackward, "A150"), (MessageStatements.pageForward, "A150"),
            ]
            try await fill(1...300)
            var few: [Int] = []
            for (statement, before) in asked {
                few.append(try await Self.pages(fixture, scope, statement, before: before))
            }
            try await fill(301...20_000)
            for (index, (statement, before)) in asked.enumerated() {
                let many = try await Self.pages(fixture, scope, statement, before: before)
                #expect(many <= few[index] * 2 + 60, "\(statement.name), before \(before ?? "nothing")")
            }
        }
    }
}
