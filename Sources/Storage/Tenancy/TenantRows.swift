import Messaging

/// A customer: the "API key" of the REST API. `id` is the wire id.
package struct Tenant: Sendable, Equatable {
    package let id: Int64
    package var customerName: String
    package var customerEmail: String
    package var customerPhone: String
    package var maxDevices: Int
    package var rateLimitPerHour: Int
    package var isActive: Bool
    /// JSON object: defaults of surface G.
    package var settings: String
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    /// First 8 and last 4 characters of the newest valid key; empty when there is none.
    package let keyPrefix: String
    package let keySuffix: String
    package let deviceCount: Int
}

package struct NewTenant: Sendable, Equatable {
    package var customerName: String
    package var customerEmail: String
    package var customerPhone: String
    package var maxDevices: Int
    package var rateLimitPerHour: Int

    package init(
        customerName: String, customerEmail: String = "", customerPhone: String = "", maxDevices: Int = 1,
        rateLimitPerHour: Int = 1000
    ) {
        self.customerName = customerName
        self.customerEmail = customerEmail
        self.customerPhone = customerPhone
        self.maxDevices = maxDevices
        self.rateLimitPerHour = rateLimitPerHour
    }
}

/// What a change of a tenant sets; nil leaves a member as it is.
package struct TenantChange: Sendable, Equatable {
    package var customerName: String?
    package var customerEmail: String?
    package var customerPhone: String?
    package var maxDevices: Int?
    package var rateLimitPerHour: Int?
    package var isActive: Bool?

    package init(
        customerName: String? = nil, customerEmail: String? = nil, customerPhone: String? = nil, maxDevices: Int? = nil,
        rateLimitPerHour: Int? = nil, isActive: Bool? = nil
    ) {
        self.customerName = customerName
        self.customerEmail = customerEmail
        self.customerPhone = customerPhone
        self.maxDevices = maxDevices
        self.rateLimitPerHour = rateLimitPerHour
        self.isActive = isActive
    }
}

/// What is kept of an API key: never the key.
package struct APIKeyDigest: Sendable, Equatable {
    /// SHA-256 of the key, or HMAC-SHA-256 under `API_KEY_PEPPER`; 32 bytes.
    package let hash: [UInt8]
    /// First 8 and last 4 characters, for display.
    package let prefix: String
    package let suffix: String

    package init(hash: [UInt8], prefix: String, suffix: String) {
        self.hash = hash
        self.prefix = prefix
        self.suffix = suffix
    }
}

/// A valid key with what a request under it needs to know.
package struct APIKeyRecord: Sendable, Equatable {
    package let hash: [UInt8]
    package let tenantID: Int64
    package let isActive: Bool
    package let maxDevices: Int
    package let rateLimitPerHour: Int
    package let expiresAt: Timestamp?
}

/// Counts for the operator.
package struct SystemStatistics: Sendable, Equatable {
    package let tenants: Int
    package let activeTenants: Int
    package let devices: Int
    package let activeDevices: Int
    package let disconnectedDevices: Int
    package let pendingDevices: Int
    package let loggedOutDevices: Int
    package let webhooks: Int
    package let activeWebhooks: Int
    package let leases: Int
}
