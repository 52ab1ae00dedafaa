import Cryptography
import Foundation

/// Delivery of webhooks (13-configuration, sections 4.11 and 5; 11-webhooks).
package struct WebhookSettings: Sendable {
    package var isEnabled: Bool
    package var workers: Int
    package var inFlightPerWorker: Int
    package var tenantMaximumInFlight: Int
    /// Attempts per second of one tenant; 0 sets no rate.
    package var tenantRate: Int
    /// Attempts of the fast phase.
    package var retryLimit: Int
    /// Waits of the slow phase.
    package var retrySchedule: [Duration]
    package var timeout: Duration
    package var maximumAge: Duration
    package var disableAfter: Duration
    package var bodyRetention: Duration
    package var deliveryRetentionDays: Int
    package var maximumPerDevice: Int
    package var allowsHTTP: Bool
    package var proxyURL: String?
    package var isProxyTrusted: Bool
    package var sendsAppStateEvents: Bool
    package var allowedAddressBlocks: [AddressBlock]
    package var deniedAddressBlocks: [AddressBlock]

    init(_ reader: inout SettingReader) {
        isEnabled = reader.bool("WEBHOOKS_ENABLED")
        workers = reader.integer("WEBHOOK_WORKERS")
        inFlightPerWorker = reader.integer("WEBHOOK_INFLIGHT_PER_WORKER")
        tenantMaximumInFlight =
            reader.optionalInteger("WEBHOOK_TENANT_MAX_INFLIGHT") ?? max(1, workers * inFlightPerWorker / 2)
        tenantRate = reader.integer("WEBHOOK_TENANT_RATE")
        retryLimit = reader.integer("WEBHOOK_RETRY_LIMIT")
        retrySchedule = reader.durations("WEBHOOK_RETRY_SCHEDULE")
        timeout = reader.duration("WEBHOOK_TIMEOUT")
        maximumAge = reader.duration("WEBHOOK_MAX_AGE")
        disableAfter = reader.duration("WEBHOOK_DISABLE_AFTER")
        bodyRetention = reader.duration("WEBHOOK_BODY_RETENTION")
        // What waits is given up before its partition goes.
        deliveryRetentionDays = max(
            reader.integer("WEBHOOK_DELIVERY_RETENTION_DAYS"), Int(maximumAge.components.seconds / 86_400) + 3)
        maximumPerDevice = reader.integer("WEBHOOK_MAX_PER_DEVICE")
        allowsHTTP = reader.bool("WEBHOOK_ALLOW_HTTP")
        proxyURL = reader.text("WEBHOOK_PROXY_URL")
        isProxyTrusted = reader.bool("WEBHOOK_PROXY_TRUSTED")
        sendsAppStateEvents = reader.bool("WHATSAPP_APPSTATE_WEBHOOK_ENABLED")
        allowedAddressBlocks = reader.list("EGRESS_ALLOW_CIDRS").compactMap(AddressBlock.init)
        deniedAddressBlocks = reader.list("EGRESS_DENY_CIDRS").compactMap(AddressBlock.init)
    }
}

/// This process among others (13-configuration, section 5; 14-storage, section 7).
package struct NodeSettings: Sendable {
    /// Names the process in leases and logs; random per start when not given.
    package var name: String
    package var advertiseURL: String?
    package var clusterSecret: SecretBytes
    package var maximumDevices: Int
    package var leaseLifetime: Duration
    package var leaseRenewal: Duration
    package var shutdownTimeout: Duration

    init(_ reader: inout SettingReader) {
        name = reader.text("NODE_ID") ?? String(UUID().uuidString.lowercased().prefix(8))
        advertiseURL = reader.text("NODE_ADVERTISE_URL")
        if advertiseURL == nil, reader.text("HTTP_TLS_CERT_FILE") != nil {
            reader.warn(
                "NODE_ADVERTISE_URL",
                "not set beside HTTP_TLS_CERT_FILE: other nodes cannot verify a certificate at an IP address; "
                    + "with more than one node set it to a name that the certificate carries")
        }
        clusterSecret =
            reader.text("NODE_CLUSTER_SECRET").map { SecretBytes(Bytes($0.utf8)) }
            ?? AuthenticationSettings.derive(from: reader.text("JWT_SECRET_KEY") ?? "", purpose: "cluster-secret")
        maximumDevices = reader.integer("NODE_MAX_DEVICES")
        leaseLifetime = reader.duration("LEASE_TTL")
        leaseRenewal = reader.duration("LEASE_RENEW")
        shutdownTimeout = reader.duration("SHUTDOWN_TIMEOUT")
    }
}

/// Own log (13-configuration, sections 4.12 and 12).
package struct LoggingSettings: Sendable {
    package enum Level: String, Sendable { case debug, info, warn, error }
    package enum Format: String, Sendable { case text, json }

    package var level: Level
    /// Nil: text on a terminal, JSON elsewhere.
    package var format: Format?
    package var protocolLevel: Level
    package var showsPersonalData: Bool

    init(_ reader: inout SettingReader) {
        level = reader.choice("LOG_LEVEL") ?? .info
        format = reader.choice("LOG_FORMAT")
        protocolLevel = reader.text("WHATSAPP_LOG_LEVEL").flatMap { Level(rawValue: $0.lowercased()) } ?? .error
        showsPersonalData = reader.bool("LOG_PII")
    }
}

/// The sandbox's listeners and world (13-configuration, section 5.2; 09-sandbox-server).
package struct SandboxSettings: Sendable {
    package var address: String
    /// 0 takes any free port.
    package var chatPort: Int
    package var controlPort: Int
    package var mediaPort: Int
    package var controlToken: String?
    package var seed: String
    package var isClockVirtual: Bool
    package var certificateFile: String?
    package var privateKeyFile: String?

    init(_ reader: inout SettingReader) {
        address = reader.text("SANDBOX_ADDRESS") ?? "127.0.0.1"
        chatPort = reader.integer("SANDBOX_CHAT_PORT")
        controlPort = reader.integer("SANDBOX_CONTROL_PORT")
        mediaPort = reader.integer("SANDBOX_MEDIA_PORT")
        controlToken = reader.text("SANDBOX_CONTROL_TOKEN")
        seed = reader.text("SANDBOX_SEED") ?? "sandbox"
        isClockVirtual = reader.text("SANDBOX_CLOCK") == "virtual"
        certificateFile = reader.text("SANDBOX_TLS_CERT_FILE")
        privateKeyFile = reader.text("SANDBOX_TLS_KEY_FILE")
    }
}
