import AdminAuth
import Foundation
import Logging

/// What every line about a request carries (13-configuration, section 12).
enum RequestLog {
    /// Whose request it is, by ids alone.
    static func metadata(requestID: String, _ identity: Call.Identity?) -> Logger.Metadata {
        var fields: Logger.Metadata = ["request_id": "\(requestID)"]
        switch identity {
        case nil, .anonymous?, .admin?: break
        case .tenant(let tenant)?: fields["tenant_id"] = "\(tenant.id)"
        case .device(let device, let tenant)?:
            fields["tenant_id"] = "\(tenant.id)"
            fields["device_id"] = "\(device.deviceID.uuidString.lowercased())"
        }
        return fields
    }

    /// A logger for the request's handler.
    static func logger(_ base: Logger, requestID: String, _ identity: Call.Identity) -> Logger {
        var logger = base
        for (key, value) in metadata(requestID: requestID, identity) { logger[metadataKey: key] = value }
        return logger
    }

    /// One of the methods there are: a line cannot be made of what a client invents.
    static func method(_ name: String) -> String {
        name == "HEAD" || name == "OPTIONS" || Route.Method(rawValue: name) != nil ? name : "other"
    }

    /// With three decimals.
    static func milliseconds(_ duration: Duration) -> Double {
        let microseconds = duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
        return Double(microseconds) / 1000
    }
}
