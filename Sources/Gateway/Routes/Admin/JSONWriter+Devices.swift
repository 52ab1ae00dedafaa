import AdminAuth
import Foundation
import Messaging
import Storage
import Tenancy

// Shapes of tenants and devices in answers (10-rest-api, sections 8, 10 and 27).

extension JSONWriter {
    /// A time, or null.
    mutating func time(_ name: StaticString, _ value: Timestamp?, fraction: Bool = true) {
        key(name)
        if let value { string(RFC3339.text(value, fraction: fraction)) } else { null() }
    }

    /// Members of row 8, without braces.
    mutating func tenant(_ tenant: Tenant) {
        member("id", tenant.id)
        member("api_key_masked", tenant.keyPrefix.isEmpty ? "" : "\(tenant.keyPrefix)...\(tenant.keySuffix)")
        member("customer_name", tenant.customerName)
        member("customer_email", tenant.customerEmail)
        member("customer_phone", tenant.customerPhone)
        member("max_devices", tenant.maxDevices)
        member("rate_limit_per_hour", tenant.rateLimitPerHour)
        member("is_active", tenant.isActive)
        member("device_count", tenant.deviceCount)
    }

    /// Inside row 9: empty texts are left out.
    mutating func deviceOfTenant(_ device: DeviceRecord) {
        object { writer in
            writer.member("device_id", device.deviceID)
            writer.member("api_key_id", device.tenantID)
            if !device.name.isEmpty { writer.member("device_name", device.name) }
            if let jid = device.jid, !jid.isEmpty { writer.member("whatsmeow_jid", jid) }
            writer.member("status", device.status.rawValue)
            writer.time("created_at", device.createdAt)
            if let active = device.lastActiveAt { writer.time("last_active_at", active) }
            if let external = device.externalID { writer.member("external_id", external) }
        }
    }

    /// Row 12.
    mutating func deviceSummary(_ device: DeviceRecord) {
        object { $0.summaryMembers(device) }
    }

    /// Row 12 with the live state, for the device's owner.
    mutating func liveDevice(_ overview: DeviceOverview, live: LiveDeviceState) {
        object { writer in
            writer.summaryMembers(overview.device)
            writer.liveFlags(live)
            if let obstacle = live.obstacle { writer.member("error", APIError(obstacle).message) }
            if let reason = overview.device.heldReason { writer.member("held_reason", reason) }
        }
    }

    private mutating func summaryMembers(_ device: DeviceRecord) {
        member("device_id", device.deviceID)
        member("device_name", device.name)
        member("whatsmeow_jid", device.jid ?? "")
        member("status", device.status.rawValue)
        time("created_at", device.createdAt, fraction: false)
        time("last_active_at", device.lastActiveAt, fraction: false)
        if let external = device.externalID { member("external_id", external) }
    }

    /// Row 3.
    mutating func deviceOverview(_ overview: DeviceOverview) {
        let device = overview.device
        object { writer in
            writer.member("device_id", device.deviceID)
            writer.member("device_name", device.name)
            writer.member("api_key_id", device.tenantID)
            writer.member("customer_name", overview.customerName)
            writer.member("whatsmeow_jid", device.jid ?? "")
            writer.member("status", device.status.rawValue)
            writer.time("created_at", device.createdAt, fraction: false)
            writer.time("last_active_at", device.lastActiveAt, fraction: false)
            if let external = device.externalID { writer.member("external_id", external) }
        }
    }

    /// Rows 4 and 13.
    mutating func deviceStatus(
        _ overview: DeviceOverview, live: LiveDeviceState, reason: DeviceReason?, withCustomer: Bool
    ) {
        let device = overview.device
        object { writer in
            writer.member("device_id", device.deviceID)
            writer.member("device_name", device.name)
            if withCustomer { writer.member("customer_name", overview.customerName) }
            writer.member("whatsmeow_jid", device.jid ?? "")
            writer.member("db_status", device.status.rawValue)
            writer.liveFlags(live)
            if let obstacle = live.obstacle { writer.member("error", APIError(obstacle).message) }
            writer.stateReason(live.isLoggedIn ? nil : reason, of: device)
            if let external = device.externalID { writer.member("external_id", external) }
            writer.key("node_id")
            if let node = overview.nodeID { writer.string(node.uuidString.lowercased()) } else { writer.null() }
        }
    }

    /// Why a device is not connected, with what WhatsApp said (12-device-scoping-api, section 6.1), and the word of its hold.
    mutating func stateReason(_ reason: DeviceReason?, of record: DeviceRecord) {
        if let reason {
            member("state_reason", reason.word)
            if reason.word == "temporary_ban" {
                if let code = reason.code { member("ban_code", code) }
                if let until = reason.until { time("ban_until", until) }
            } else {
                if let code = reason.code, code != 0 { member("reason_code", code) }
                if let text = reason.text, !text.isEmpty { member("reason_text", text) }
            }
        }
        if record.wish == .held, let held = record.heldReason { member("held_reason", held) }
    }

    mutating func liveFlags(_ live: LiveDeviceState) {
        member("client_loaded", live.isLoaded)
        member("connected", live.isConnected && live.isLoggedIn)
        member("is_connected", live.isConnected)
        member("is_logged_in", live.isLoggedIn)
    }
}

extension APIError {
    /// The error that a call on a device in this state gets.
    init(_ obstacle: LiveDeviceState.Obstacle) {
        self =
            switch obstacle {
            case .notLoaded: .clientNotLoaded
            case .notConnected: .notConnected
            case .notLoggedIn: .notLoggedIn
            case .ended(let end): APIError(end)
            }
    }
}

extension RFC3339 {
    static func text(_ time: Timestamp, fraction: Bool = true) -> String { text(Date(time), fraction: fraction) }
}
