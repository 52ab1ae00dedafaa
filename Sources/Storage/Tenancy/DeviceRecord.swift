import Database
import Foundation
import Messaging

/// A device row, without its secrets.
package struct DeviceRecord: Sendable, Equatable {
    /// Internal number: key of all per-device tables.
    package let did: Int64
    /// Wire id.
    package let deviceID: UUID
    package let tenantID: Int64
    package let externalID: String?
    package let name: String
    package let tokenVersion: Int
    package let status: DeviceStatus
    package let wish: DeviceWish
    /// How it ended, in the session's word, while it is held or logged out; with WhatsApp's number and text, or the version
    /// that it refused.
    package let heldReason: String?
    package let heldUntil: Timestamp?
    package let endCode: Int?
    package let endText: String?
    package let jid: String?
    package let lid: String?
    package let pushName: String
    package let platform: String
    package let businessName: String
    package let hasProxy: Bool
    package let isPassive: Bool
    package let forcesActiveReceipts: Bool
    /// `available` or `unavailable` when the user asked for it.
    package let presenceWish: String?
    /// JSON object: automatic behaviours of surface G.
    package let settings: String
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let lastActiveAt: Timestamp?

    init(_ row: Row) throws {
        did = try row["did"]
        deviceID = try row["device_id"]
        tenantID = try row["tenant_id"]
        externalID = try row["external_id"]
        name = try row["device_name"]
        tokenVersion = try row["token_version"]
        status = DeviceStatus(rawValue: try row["status"]) ?? .pending
        wish = DeviceWish(rawValue: try row["desired"]) ?? .stopped
        heldReason = try row["held_reason"]
        heldUntil = try row["held_until"]
        endCode = try row["end_code"]
        endText = try row["end_text"]
        jid = try row["jid"]
        lid = try row["lid"]
        pushName = try row["push_name"]
        platform = try row["platform"]
        businessName = try row["business_name"]
        hasProxy = try row["has_proxy"]
        isPassive = try row["passive"]
        forcesActiveReceipts = try row["force_active_receipts"]
        presenceWish = try row["presence_wish"]
        settings = try row["settings"]
        createdAt = try row["created_at"]
        updatedAt = try row["updated_at"]
        lastActiveAt = try row["last_active_at"]
    }
}

/// A device as the cluster sees it now: its row, its customer and the state its owner published.
package struct DeviceOverview: Sendable, Equatable {
    package let device: DeviceRecord
    package let customerName: String
    /// Node that holds a valid lease; nil when nobody runs the device.
    package let nodeID: UUID?
    /// `none` without a valid lease.
    package let liveState: LiveState
    package let liveError: String

    package var position: ListPosition { ListPosition(time: device.createdAt, id: device.did) }

    init(_ row: Row) throws {
        device = try DeviceRecord(row)
        customerName = try row["customer_name"]
        nodeID = try row["live_node"]
        liveState = LiveState(rawValue: try row["live_state"]) ?? .none
        liveError = try row["live_error"]
    }
}

/// What proves the right to a device token.
package struct DeviceCredentialRecord: Sendable, Equatable {
    package let did: Int64
    package let tenantID: Int64
    /// SHA-256 of the device secret; compare in constant time.
    package let secretHash: [UInt8]
    package let tokenVersion: Int
    package let tenantIsActive: Bool
    package let jid: String?
}

/// Narrows the operator's device list.
package struct DeviceFilter: Sendable, Equatable {
    package var status: DeviceStatus?
    package var tenantID: Int64?
    /// Part of the name, the JID, the customer's name or one of the ids, in any case.
    package var text: String?
    package var limit: Int
    /// Where the page before ended.
    package var before: ListPosition?

    package init(
        status: DeviceStatus? = nil, tenantID: Int64? = nil, text: String? = nil, limit: Int = 1000,
        before: ListPosition? = nil
    ) {
        self.status = status
        self.tenantID = tenantID
        self.text = text
        self.limit = limit
        self.before = before
    }
}

/// Makes a creation happen once, however often it is asked for.
package struct CreationKey: Sendable {
    package let key: String
    /// Of the request: the same key with another request is an error.
    package let requestHash: [UInt8]
    /// Seals the device's secret for the number that the device gets.
    package let seal: @Sendable (_ did: Int64) throws -> [UInt8]

    package init(key: String, requestHash: [UInt8], seal: @escaping @Sendable (Int64) throws -> [UInt8]) {
        self.key = key
        self.requestHash = requestHash
        self.seal = seal
    }
}

package enum DeviceCreationError: Error, Sendable, Equatable {
    case limitReached
    case unknownTenant
    case tenantInactive
    /// Another device of the tenant has this `external_id`.
    case externalIDTaken
    /// The idempotency key was used for another request.
    case keyReused
}
