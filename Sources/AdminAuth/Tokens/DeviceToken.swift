import Foundation

/// What a device token says (10-rest-api, section 3.4). The number in `version` must equal the device's current one.
package struct DeviceToken: Sendable, Hashable {
    package var deviceID: UUID
    package var tenantID: Int64
    package var version: Int
    /// Address at the time of issue; informational, never used to find anything.
    package var jid: String
    /// Unix seconds; `nbf` and `iat`.
    package var issuedAt: Int64

    package init(deviceID: UUID, tenantID: Int64, version: Int, jid: String = "", issuedAt: Int64) {
        self.deviceID = deviceID
        self.tenantID = tenantID
        self.version = version
        self.jid = jid
        self.issuedAt = issuedAt
    }
}

/// Why a token is not accepted. All cases answer with the same words, so that a caller learns nothing from them.
package enum TokenError: Error, Sendable, Equatable {
    case malformed
    /// The header does not say exactly `HS256`.
    case algorithm
    case signature
    case notYetValid
    case expired
    case claims
}
