import AdminAuth
import Messaging
import NIOCore
import Storage
import Tenancy

extension KnownDevice {
    var scope: DeviceScope { DeviceScope(tenantID: tenantID, did: did) }
}

extension RouteCatalogue {
    /// The calling device: facts, state, reconnect, logout (10-rest-api, section 10).
    var ownDeviceRoutes: [Route] {
        [
            Route(
                .get, "/devices/me", .device, number: "17", "Stored facts about the calling device",
                answer: .data("Success get device details", .ownDevice), statuses: [200, 404], handler: ownDevice),
            Route(
                .get, "/devices/me/status", .device, number: "18", "Stored and live connection state",
                answer: .data("Device status", .ownStatus), statuses: [200, 404]
            ) { call in
                let (record, live) = try await dependencies.gate.status(
                    call.device.scope, deviceID: call.device.deviceID)
                // Only the node that links a device knows how far it is; of a linked one all that is said is stored.
                if record.jid == nil || record.status == .loggedOut {
                    _ = try await dependencies.sessions.located(did: record.did)
                }
                let reason = live.isLoggedIn ? nil : dependencies.gate.reason(record, live)
                return .ok("Device status") { writer in
                    writer.object { writer in
                        writer.member("db_status", Self.status(record, live).rawValue)
                        writer.liveFlags(live)
                        writer.member("error", live.obstacle.map { APIError($0).message } ?? "")
                        writer.stateReason(reason, of: record)
                    }
                }
            },
            Route(
                .post, "/devices/me/reconnect", .device, number: "21", "Connect again at once",
                answer: .message("Success reconnect device"), errors: [.session, .whatsApp],
                statuses: [200, 409, 503], waits: true
            ) { call in
                let scope = call.device.scope
                guard try await dependencies.gate.record(scope).jid != nil else { throw APIError.clientNotLoaded }
                do {
                    try await dependencies.gate.sessionToConnect(scope).reconnect()
                } catch SessionError.notPaired {
                    throw APIError.sessionEmpty
                }
                return .ok("Success reconnect device")
            },
            Route(
                .delete, "/devices/me/session", .device, number: "22", "Unlink the device and wipe its session",
                answer: .message("Success logout device"), errors: [.session, .whatsApp],
                statuses: [200, 409, 503], waits: true
            ) { call in
                let session = try await dependencies.gate.sessionToLogOut(call.device.scope)
                guard session.state.isPaired else { throw APIError.clientNotLoaded }
                try await session.logout()
                return .ok("Success logout device")
            },
            Route(
                .get, "/devices/me/contacts/{phone}/registered", .device, number: "23",
                "Whether a number is on WhatsApp",
                answer: .data("Success check registered phone", .registration), errors: [.session, .whatsApp],
                statuses: [200, 400, 409, 503], waits: true, handler: isRegistered),
        ]
    }

    /// The running session knows earlier than the row.
    private static func status(_ record: DeviceRecord, _ live: LiveDeviceState) -> DeviceStatus {
        live.isLoggedIn ? .active : record.status
    }

    @Sendable private func ownDevice(_ call: Call) async throws -> Answer {
        let record = try await dependencies.gate.record(call.device.scope)
        let state = dependencies.sessions.running(did: record.did)?.state
        let reason = state == nil ? DeviceReason(record) : dependencies.gate.reason(record)
        return .ok("Success get device details") { writer in
            writer.object { writer in
                writer.member("device_id", record.deviceID)
                writer.member("device_name", record.name)
                writer.member("whatsmeow_jid", state?.jid ?? record.jid ?? "")
                writer.member("status", state?.isLoggedIn == true ? "active" : record.status.rawValue)
                writer.time("created_at", record.createdAt)
                writer.time("last_active", record.lastActiveAt)
                writer.member("lid", state?.lid ?? record.lid ?? "")
                writer.member("push_name", record.pushName)
                writer.member("platform", record.platform)
                writer.member("proxy_active", record.hasProxy)
                writer.member("passive", record.isPassive)
                writer.member("force_active_receipts", record.forcesActiveReceipts)
                writer.member("token_version", record.tokenVersion)
                if let external = record.externalID { writer.member("external_id", external) }
                writer.stateReason(reason, of: record)
            }
        }
    }

    @Sendable private func isRegistered(_ call: Call) async throws -> Answer {
        let phone = try PhoneNumber.parse(call.parameters["phone"], style: .path)
        let session = try await dependencies.gate.session(call.device.scope)
        guard let user = try await session.isOnWhatsApp([phone]).first else {
            throw SessionError.malformedAnswer("no entry for the number")
        }
        let style = api.keyStyle
        return .ok("Success check registered phone") { writer in
            writer.object { writer in
                if style != .snake {
                    writer.member("IsRegistered", user.isRegistered)
                    writer.member("JID", user.jid ?? "")
                }
                if style != .reference {
                    writer.member("is_registered", user.isRegistered)
                    writer.member("jid", user.jid ?? "")
                    writer.member("phone", phone)
                    if let lid = user.lid { writer.member("lid", lid) }
                }
            }
        }
    }
}
