import Cryptography
import Database
import Foundation
import Messaging
import Storage
import TestSupport
import Testing

@Suite("Tenants, devices and the authentication feed")
struct TenancyRepositoryTests {
    @Test("parallel creation of devices stops exactly at max_devices")
    func exactQuota() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant(maxDevices: 5)
            let outcomes = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        do {
                            _ = try await fixture.device(of: tenant)
                            return true
                        } catch DeviceCreationError.limitReached {
                            return false
                        } catch {
                            Issue.record("\(error)")
                            return false
                        }
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(outcomes == 5)
            #expect(try await DeviceRepository(fixture.database).devices(TenantScope(tenantID: tenant.id)).count == 5)
        }
    }

    @Test("a tenant is made with a key, found by its hash, changed, rotated and deleted with everything")
    func tenantLife() async throws {
        try await StorageFixture.run { fixture in
            let tenants = TenantRepository(fixture.database)
            let hash = SystemRandom().bytes(32)
            let tenant = try await tenants.create(
                NewTenant(customerName: "Harbour Ltd", maxDevices: 3),
                key: APIKeyDigest(hash: hash, prefix: "wam_0a1b", suffix: "9f3c"))
            #expect(tenant.keyPrefix == "wam_0a1b")
            #expect(try await tenants.key(hash: hash)?.tenantID == tenant.id)
            let changed = try await tenants.update(tenant.id, TenantChange(maxDevices: 7, isActive: false))
            #expect(changed?.maxDevices == 7)
            #expect(changed?.customerName == "Harbour Ltd")
            #expect(try await tenants.key(hash: hash)?.isActive == false)
            let second = SystemRandom().bytes(32)
            #expect(
                try await tenants.rotateKey(
                    tenant.id, to: APIKeyDigest(hash: second, prefix: "wam_ffff", suffix: "0000"), grace: .zero))
            #expect(try await tenants.key(hash: hash) == nil)
            #expect(try await tenants.key(hash: second)?.tenantID == tenant.id)
            _ = try await tenants.update(tenant.id, TenantChange(isActive: true))
            let device = try await fixture.device(of: tenant)
            #expect(try await tenants.statistics().devices == 1)
            #expect(try await tenants.delete(tenant.id) == 1)
            #expect(try await tenants.tenant(tenant.id) == nil)
            #expect(try await tenants.delete(tenant.id) == nil)
            #expect(try await DeviceRepository(fixture.database).device(device.deviceID) == nil)
        }
    }

    @Test("deleting a device leaves no row of it in any table")
    func deletionIsComplete() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let device = try await fixture.device(of: tenant)
            let other = try await fixture.device(of: tenant)
            for did in [device.did, other.did] {
                try await fixture.script(
                    """
                    INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc) VALUES (\(tenant.id), \(did), 'http://x', '');
                    INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key)
                      VALUES ('e\(did)', current_date, \(tenant.id), \(did), 1, 't', 'k');
                    INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
                      SELECT current_date, id, tenant_id, did, 'e\(did)', current_date, 't', 1 FROM sb.webhooks WHERE did = \(did);
                    INSERT INTO sb.webhook_attempts (delivery_id, day, attempt, node_id, started_at)
                      SELECT id, day, 1, gen_random_uuid(), now() FROM sb.webhook_deliveries WHERE did = \(did);
                    INSERT INTO sb.signal_sessions (did, address, record) VALUES (\(did), 'a:1', '');
                    INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type)
                      VALUES (\(tenant.id), \(did), 'c', 'm', true, now(), 's', 'text');
                    """)
            }
            #expect(try await DeviceRepository(fixture.database).delete(device.deviceID))
            #expect(try await !DeviceRepository(fixture.database).delete(device.deviceID))
            let tables: [String] =
                try await fixture.scalar(
                    """
                    SELECT array_agg(c.relname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'did'
                    WHERE c.relnamespace = 'sb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                      AND c.relname <> 'device_tombstones'
                    """) ?? []
            #expect(tables.count > 30)
            for table in tables {
                let rows: Int? = try await fixture.scalar("SELECT count(*) FROM sb.\(table) WHERE did = \(device.did)")
                #expect(rows == 0, "\(table)")
            }
            let attempts: Int? = try await fixture.scalar("SELECT count(*) FROM sb.webhook_attempts")
            #expect(attempts == 1)
            let kept: Int? = try await fixture.scalar("SELECT count(*) FROM sb.messages WHERE did = \(other.did)")
            #expect(kept == 1)
        }
    }

    @Test("the feed carries every change and the snapshot names the position to go on from")
    func feed() async throws {
        try await StorageFixture.run { fixture in
            let feed = AuthFeedRepository(fixture.database)
            let devices = DeviceRepository(fixture.database)
            let tenant = try await fixture.tenant()
            let device = try await fixture.device(of: tenant)
            let snapshot = try await feed.snapshot()
            #expect(snapshot.devices.map(\.deviceID) == [device.deviceID])
            #expect(snapshot.devices.first?.tokenVersion == 1)
            let raised = try await devices.raiseTokenVersion(device.deviceID)
            #expect(raised?.version == 2)
            _ = try await devices.delete(device.deviceID)
            let changes = try await feed.entries(after: snapshot.lastID)
            #expect(changes.entries.contains(.deviceGone(device.deviceID)))
            guard case .tenant(let present)? = changes.entries.first else {
                Issue.record("the tenant is missing")
                return
            }
            #expect(present.id == tenant.id && present.keys.count == 1)
            #expect(changes.lastID > snapshot.lastID)
            _ = try await TenantRepository(fixture.database).delete(tenant.id)
            #expect(try await feed.entries(after: changes.lastID).entries == [.tenantGone(tenant.id)])
        }
    }

    @Test("a token change is announced to listeners when it is committed")
    func announced() async throws {
        try await StorageFixture.run { fixture in
            let device = try await fixture.device(of: try await fixture.tenant())
            var events = fixture.database.system.listen([AuthFeedRepository.channel]).makeAsyncIterator()
            #expect(await events.next() == .listening)
            _ = try await DeviceRepository(fixture.database).raiseTokenVersion(device.deviceID)
            guard case .notification(let notification)? = await events.next() else {
                Issue.record("no notification")
                return
            }
            #expect(notification.channel == "sb_auth")
            #expect(notification.payload.contains("\"id\""))
        }
    }

    @Test("many tokens renewed at once each have a version of their own, also twice the same device's")
    func renewedTogether() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant(maxDevices: 10)
            var ids: [UUID] = []
            for _ in 0..<10 { ids.append(try await fixture.device(of: tenant).deviceID) }
            let repository = DeviceRepository(fixture.database)
            let versions = try await withThrowingTaskGroup(of: Int?.self) { group in
                for id in ids + ids { group.addTask { try await repository.raiseTokenVersion(id)?.version } }
                group.addTask { try await repository.raiseTokenVersion(UUID())?.version }
                var versions: [Int?] = []
                for try await version in group { versions.append(version) }
                return versions
            }
            #expect(
                versions.compactMap { $0 }.sorted() == [Int](repeating: 2, count: 10) + [Int](repeating: 3, count: 10))
            #expect(versions.count { $0 == nil } == 1)
            let entries: Int? = try await fixture.scalar(
                "SELECT count(*) FROM sb.auth_changes WHERE kind = 'device' AND token_version > 1")
            #expect(entries == 20)
        }
    }

    @Test("as sb_app a tenant sees and writes only its own rows, and no key material at all")
    func isolation() async throws {
        try await StorageFixture.run { fixture in
            #expect(fixture.database.hasRoles)
            let first = try await fixture.tenant()
            let second = try await fixture.tenant(name: "Other")
            let device = try await fixture.device(of: first)
            let foreign = try await fixture.device(of: second)
            let scope = Scope.device(DeviceScope(tenantID: first.id, did: device.did))
            let database = fixture.database
            let visible = try await database.query(scope, Statement("test.devices", "SELECT did FROM sb.devices"))
            #expect(try visible.map { try $0["did"] as Int64 } == [device.did])
            let insert = Statement(
                "test.insert_chat", "INSERT INTO sb.chats (tenant_id, did, chat, kind) VALUES ($1, $2, 'c', 'user')")
            #expect(try await database.execute(scope, insert, [.int(first.id), .int(device.did)]) == 1)
            for (tenantID, did) in [(second.id, foreign.did), (first.id, foreign.did)] {
                await #expect(throws: DatabaseError.self) {
                    try await database.execute(scope, insert, [.int(tenantID), .int(did)])
                }
            }
            let keys = await #expect(throws: DatabaseError.self) {
                try await database.query(scope, Statement("test.keys", "SELECT * FROM sb.signal_sessions"))
            }
            #expect(keys?.sqlState == .insufficientPrivilege)
            // Without a scope the login's own role has no policy; as sb_app without settings nothing is visible.
            let blind = try await database.scoped.withTransaction { transaction in
                _ = try await transaction.query(Statement("test.role", "SELECT set_config('role', 'sb_app', true)"))
                return try await transaction.query(Statement("test.devices", "SELECT did FROM sb.devices")).count
            }
            #expect(blind == 0)
        }
    }
}
