import Cryptography
import Database
import Foundation
import Messaging
import Testing

@testable import Storage

/// Requests about messages, chats, the timeline and the device itself see and change nothing of another device, even where a
/// statement forgets whose rows it means (14-storage, section 5).
@Suite("The second belt of devices")
struct DeviceBeltTests {
    private struct Owner {
        let tenant: Int64
        let did: Int64
        var device: DeviceScope { DeviceScope(tenantID: tenant, did: did) }
        /// Stands in every row of the device and in none of another.
        var mark: String { "mark-of-\(did)-" }

        func stands(in text: String) -> Bool {
            text.contains(mark) || text.contains(Hex.encode(Array(mark.utf8)))
        }
    }

    /// A device with rows in every table that its requests read or change. Chats and message ids are those of the others,
    /// as they are in life.
    private static func owner(_ fixture: StorageFixture, _ tenant: Tenant) async throws -> Owner {
        let did = try await fixture.device(of: tenant).did
        let owner = Owner(tenant: tenant.id, did: did)
        let mark = owner.mark
        try await fixture.script(
            """
            UPDATE sb.devices SET device_name = '\(mark)', proxy_url_enc = '\(mark)' WHERE did = \(did);
            INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body)
              VALUES (\(tenant.id), \(did), 'c', 'm', true, now(), 's', 'text', '\(mark)');
            INSERT INTO sb.message_receipts (did, chat, message_id, recipient) VALUES (\(did), 'c', 'm', '\(mark)');
            INSERT INTO sb.message_reactions (did, chat, message_id, reactor, emoji, ts)
              VALUES (\(did), 'c', 'm', '\(mark)', 'x', now());
            INSERT INTO sb.chats (tenant_id, did, chat, kind, name) VALUES (\(tenant.id), \(did), 'c', 'user', '\(mark)');
            INSERT INTO sb.lid_map (did, lid, pn) VALUES (\(did), '\(mark)', 'p');
            INSERT INTO sb.idempotency_keys (did, key, request_hash, state, body)
              VALUES (\(did), 'k', '', 'running', '\(mark)'), (\(did), 'k2', '', 'running', '\(mark)');
            INSERT INTO sb.retry_buffer (did, chat, message_id, format, plaintext, send_by, failure)
              VALUES (\(did), 'c', 'm', 'f', 'p', now() + interval '1 hour', '\(mark)');
            INSERT INTO sb.device_timeline (did, at, event, detail)
              VALUES (\(did), now(), 'connection.ready', '{"mark": "\(mark)"}');
            """)
        return owner
    }

    /// The statement without saying whose rows it means.
    private static func loosened(_ statement: Statement) -> Statement {
        let sql = statement.sql
            .replacing(#/(?:\b\w\.)?\b(?:tenant_id|did) = \$1/#, with: "$1::bigint > 0")
            .replacing(#/(?:\b\w\.)?\bdid = \$2/#, with: "$2::bigint > 0")
        // Rows come back as one text each, bytes in hexadecimal digits.
        return Statement(
            "loose.\(statement.name)",
            reads(statement) ? "SELECT to_jsonb(q)::text FROM (\(sql)) q" : sql)
    }

    private static func reads(_ statement: Statement) -> Bool {
        statement.sql.hasPrefix("SELECT") || statement.sql.hasPrefix("WITH before")
    }

    private struct Request {
        let statement: Statement
        let scope: Scope
        let parameters: [SQLValue]
        /// Whether it gives rows of the device itself, which carry its mark.
        var shows = false
    }

    /// What the device's requests ask and change.
    private static func requests(_ own: Owner) -> [Request] {
        let (did, chats) = (SQLValue.int(own.did), SQLValue.texts(["c"]))
        let device: [SQLValue] = [.int(own.tenant), did]
        let page: [SQLValue] = [did, chats, .null, .null, .null, .null, .null, 100]
        func app(_ statement: Statement, _ parameters: [SQLValue], shows: Bool = false) -> Request {
            Request(statement: statement, scope: .device(own.device), parameters: parameters, shows: shows)
        }
        func engine(_ statement: Statement, _ parameters: [SQLValue]) -> Request {
            Request(statement: statement, scope: .engine(did: own.did), parameters: parameters, shows: true)
        }
        return [
            app(MessageStatements.pageBackward, page, shows: true),
            app(MessageStatements.pageForward, page, shows: true),
            app(MessageStatements.known, [did, chats, .texts(["m"])]),
            app(MessageStatements.byID, [did, "m", .null], shows: true),
            app(MessageStatements.reactions, [did, .texts(["m"])], shows: true),
            app(ChatRepository.recent, [did, 100, 0], shows: true),
            app(AddressStatements.pairs, [did, .texts(["p"]), .texts([])], shows: true),
            engine(SendRepository.find, [did, "m"]), engine(SendRepository.waiting, [did, 100]),
            app(TimelineStatements.newest, device + [100], shows: true),
            app(IdempotencyStatements.find, [did, "k"], shows: true),
            app(IdempotencyStatements.finish, [did, "k2", 200, .bytes([1])]),
            app(IdempotencyStatements.abandon, [did, "k"]),
            app(DeviceStatements.byNumber, device, shows: true), app(DeviceStatements.proxy, device, shows: true),
            app(DeviceStatements.setProxy, device + [.bytes([1])]), app(DeviceStatements.setWish, device + ["held"]),
            app(DeviceStatements.setPassive, device + [true]),
            app(DeviceStatements.setForceActiveReceipts, device + [true]),
            app(DeviceStatements.setPush, device + ["x", .bytes([1])]), app(DeviceStatements.clearPush, device),
            app(MessageStatements.deleteReactions, [did, chats]), app(MessageStatements.deleteReceipts, [did, chats]),
            app(MessageStatements.deleteMessages, [did, chats]), app(MessageStatements.deleteChats, [did, chats]),
        ]
    }

    private static let tables = [
        "devices", "messages", "message_receipts", "message_reactions", "chats", "lid_map", "idempotency_keys",
        "retry_buffer", "device_timeline",
    ]

    /// All rows of a device, or of all others, as one text.
    private static func rows(_ fixture: StorageFixture, where condition: String) async throws -> String {
        var text = ""
        for table in tables {
            let rows: String? = try await fixture.scalar(
                "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM sb.\(table) t WHERE \(condition)")
            text += "\(table): \(rows ?? "")\n"
        }
        return text
    }

    @Test("a device's statement without its tenant and device sees and changes nothing of another device or tenant")
    func withoutFirstBelt() async throws {
        try await StorageFixture.run { fixture in
            #expect(fixture.database.hasRoles)
            let (one, two) = (try await fixture.tenant(name: "One"), try await fixture.tenant(name: "Two"))
            let own = try await Self.owner(fixture, one)
            let others = [try await Self.owner(fixture, one), try await Self.owner(fixture, two)]
            let before = try await Self.rows(fixture, where: "did <> \(own.did)")
            #expect(others.allSatisfy { $0.stands(in: before) })
            var mine = try await Self.rows(fixture, where: "did = \(own.did)")
            for request in Self.requests(own) {
                let (statement, loose) = (request.statement, Self.loosened(request.statement))
                #expect(!loose.sql.contains(#/\b(did|tenant_id) = \$/#), "\(statement.name) is not loosened")
                let seen = try await fixture.database.query(request.scope, loose, request.parameters)
                let text = try seen.map { try $0[0] as String }.joined()
                for other in others { #expect(!other.stands(in: text), "\(statement.name) shows another's rows") }
                if request.shows { #expect(own.stands(in: text), "\(statement.name) shows nothing: \(text)") }
                #expect(seen.count <= 1, "\(statement.name) gives \(seen.count) rows")
                #expect(
                    try await Self.rows(fixture, where: "did <> \(own.did)") == before,
                    "\(statement.name) changes another's rows")
                // What changes nothing of the others changes the device's own.
                let after = try await Self.rows(fixture, where: "did = \(own.did)")
                #expect(Self.reads(statement) || after != mine, "\(statement.name) changes nothing")
                mine = after
            }
        }
    }

    @Test("the same statements would show or change the others' rows if no policy stood behind them")
    func withoutBothBelts() async throws {
        try await StorageFixture.run { fixture in
            let (one, two) = (try await fixture.tenant(name: "One"), try await fixture.tenant(name: "Two"))
            let own = try await Self.owner(fixture, one)
            let other = try await Self.owner(fixture, two)
            var found = 0
            for request in Self.requests(own) where request.shows {
                // One row of any device, or all that match: with another's among them or in its place.
                let loose = Self.loosened(request.statement)
                let seen = try await fixture.database.system.query(loose, request.parameters)
                found += try seen.contains { other.stands(in: try $0[0] as String) } ? 1 : 0
            }
            #expect(found >= 5, "\(found)")
        }
    }
}
