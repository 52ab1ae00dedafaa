import Messaging
import Testing

@testable import Storage

@Suite("Timeline")
struct TimelineTests {
    @Test("the timeline keeps connection events with no webhook for them, and no code that links a device")
    func timeline() async throws {
        try await CommitFixture.run(options: CommitOptions(storesEvents: false)) { fixture in
            let lease = try await fixture.device()
            let other = try await fixture.device()
            func event(_ type: String, _ second: Int64) -> DeviceEvent {
                DeviceEvent(
                    type: type, dedupeKey: "\(type) \(second)", data: Array(#"{"code":"SECRET"}"#.utf8),
                    at: Timestamp(seconds: 1_700_000_000 + second))
            }
            try await fixture.submit(
                ChangeSet(lease) {
                    $0.events = [
                        event("connection.qr", 1), event("connection.pairing_code", 2), event("message.received", 3),
                        event("connection.stream_error", 4),
                    ]
                })
            let timeline = TimelineRepository(fixture.storage.database)
            let entries = try await timeline.entries(DeviceScope(tenantID: lease.tenantID, did: lease.did))
            #expect(entries.map(\.event) == ["connection.stream_error", "connection.pairing_code"])
            #expect(entries.map { $0.detail.contains("SECRET") } == [true, false])
            #expect(entries.first?.at == Timestamp(seconds: 1_700_000_004))
            #expect(try await timeline.entries(DeviceScope(tenantID: lease.tenantID, did: other.did)).isEmpty)
            #expect(try await timeline.entries(DeviceScope(tenantID: lease.tenantID + 1, did: lease.did)).isEmpty)
        }
    }
}
