import Cryptography

/// Where WhatsApp is and how we present ourselves to it (13-configuration, sections 4.4, 4.8 and 5).
package struct WhatsAppSettings: Sendable {
    package var webSocketURL: String
    package var webOrigin: String
    package var mediaURL: String?
    /// 32 bytes; nil takes WhatsApp's.
    package var noiseRootKey: Bytes?
    package var certificateAuthorityFile: String?
    package var proxyURL: String?
    package var deviceName: String
    /// No link by passkey goes on without a comparison of codes.
    package var comparesPasskeyCodes: Bool
    package var keepAliveMaximumSilence: Duration
    package var versionMajor: Int?
    package var versionMinor: Int?
    package var versionPatch: Int?
    /// Throttle of unforced version refreshes.
    package var versionRefreshInterval: Duration

    init(_ reader: inout SettingReader) {
        webSocketURL = reader.text("WHATSAPP_WS_URL") ?? ""
        webOrigin = reader.text("WHATSAPP_WEB_ORIGIN") ?? ""
        mediaURL = reader.text("WHATSAPP_MEDIA_URL")
        noiseRootKey = reader.bytes("WHATSAPP_NOISE_ROOT_KEY")
        certificateAuthorityFile = reader.text("WHATSAPP_TLS_CA_FILE")
        proxyURL = reader.text("WHATSAPP_CLIENT_PROXY_URL")
        deviceName = reader.text("WHATSAPP_DEVICE_OS_NAME") ?? "Chrome"
        comparesPasskeyCodes = reader.bool("WHATSAPP_PASSKEY_COMPARE")
        keepAliveMaximumSilence = reader.duration("WHATSAPP_KEEPALIVE_MAX_SILENCE")
        versionMajor = reader.optionalInteger("WHATSAPP_VERSION_MAJOR")
        versionMinor = reader.optionalInteger("WHATSAPP_VERSION_MINOR")
        versionPatch = reader.optionalInteger("WHATSAPP_VERSION_PATCH")
        versionRefreshInterval = reader.duration("WHATSAPP_WAVERSION_REFRESH_MIN_INTERVAL")
    }
}

/// Presence and typing around sends (13-configuration, section 4.6).
package struct SimulationSettings: Sendable {
    package var isPresenceEnabled: Bool
    package var isTypingEnabled: Bool
    package var typingDelay: ClosedRange<Duration>
    package var isReadReceiptJitterEnabled: Bool
    package var readReceiptDelay: ClosedRange<Duration>
    package var marksRead: Bool

    init(_ reader: inout SettingReader) {
        isPresenceEnabled = reader.bool("WHATSAPP_AUTO_PRESENCE_ENABLED")
        isTypingEnabled = reader.bool("WHATSAPP_AUTO_TYPING_ENABLED") && isPresenceEnabled
        let typing = reader.duration("WHATSAPP_TYPING_DELAY_MIN")
        typingDelay = typing...max(typing, reader.duration("WHATSAPP_TYPING_DELAY_MAX"))
        isReadReceiptJitterEnabled = reader.bool("WHATSAPP_READ_RECEIPT_JITTER_ENABLED")
        let receipt = reader.duration("WHATSAPP_READ_RECEIPT_DELAY_MIN")
        readReceiptDelay = receipt...max(receipt, reader.duration("WHATSAPP_READ_RECEIPT_DELAY_MAX"))
        marksRead = reader.bool("WHATSAPP_AUTO_MARK_READ")
    }
}

/// Token bucket of each device's sends (13-configuration, section 4.7).
package struct SendLimitSettings: Sendable {
    package var isEnabled: Bool
    package var messagesPerMinute: Int
    /// At most `messagesPerMinute`.
    package var burst: Int

    init(_ reader: inout SettingReader) {
        isEnabled = reader.bool("WHATSAPP_RATE_LIMIT_ENABLED")
        messagesPerMinute = reader.integer("WHATSAPP_RATE_LIMIT_MSG_PER_MINUTE")
        burst = min(reader.integer("WHATSAPP_RATE_LIMIT_BURST_SIZE"), messagesPerMinute)
    }
}

/// The durable queue of sends while a device reconnects (12-device-scoping-api, section 6.4).
package struct SendQueueSettings: Sendable {
    /// How long a message may wait in it; zero: nothing is queued.
    package var lifetime: Duration
    /// How long a request waits for its message to be sent, before it is answered 202.
    package var wait: Duration
    /// Messages of one device.
    package var maximum: Int

    package var isEnabled: Bool { lifetime > .zero }

    init(_ reader: inout SettingReader) {
        lifetime = reader.duration("SEND_QUEUE_TTL")
        wait = reader.duration("SEND_QUEUE_WAIT")
        maximum = reader.integer("SEND_QUEUE_MAX")
    }
}

/// How paired devices are brought back (13-configuration, sections 4.9 and 8).
package struct StartupSettings: Sendable {
    package var concurrency: Int
    package var maximumJitter: Duration
    package var attempts: Int
    package var backoff: ClosedRange<Duration>

    init(_ reader: inout SettingReader) {
        concurrency = reader.integer("WHATSAPP_STARTUP_RECONNECT_CONCURRENCY")
        maximumJitter = reader.duration("WHATSAPP_STARTUP_RECONNECT_JITTER_MAX")
        attempts = reader.integer("WHATSAPP_STARTUP_RECONNECT_RETRIES")
        let base = reader.duration("WHATSAPP_STARTUP_RECONNECT_BACKOFF_BASE")
        backoff = base...max(base, reader.duration("WHATSAPP_STARTUP_RECONNECT_BACKOFF_MAX"))
    }
}

/// What is kept of messages (13-configuration, section 5).
package struct MessageSettings: Sendable {
    package enum Content: String, Sendable { case full, meta }
    package enum Durability: String, Sendable { case committed, overlapped }

    package var isStoreEnabled: Bool
    /// 0 keeps them for ever.
    package var retentionDays: Int
    package var content: Content
    package var durability: Durability

    init(_ reader: inout SettingReader) {
        isStoreEnabled = reader.bool("MESSAGE_STORE_ENABLED")
        retentionDays = reader.integer("MESSAGE_RETENTION_DAYS")
        content = reader.choice("MESSAGE_STORE_CONTENT") ?? .full
        durability = reader.choice("SEND_DURABILITY") ?? .committed
    }
}
