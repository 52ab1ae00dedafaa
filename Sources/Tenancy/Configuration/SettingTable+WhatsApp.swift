private let anyDuration = Duration.zero...DurationText.longest
private let positive = Duration.nanoseconds(1)...DurationText.longest

extension SettingTable {
    static let whatsAppGroups = [endpoints, simulation, sendLimit, sendQueue, webVersion, startup, caches]

    private static let endpoints = SettingGroup(
        title: "WhatsApp",
        settings: [
            Setting("WHATSAPP_WS_URL", .url(["ws", "wss"]), "wss://web.whatsapp.com/ws/chat", "WebSocket endpoint"),
            Setting(
                "WHATSAPP_WEB_ORIGIN", .url(["http", "https"]), "https://web.whatsapp.com",
                "Origin header, and where the web version is looked up"),
            Setting(
                "WHATSAPP_MEDIA_URL", .url(["http", "https"]), "", "Replaces scheme, host and port of media requests",
                note: "the hosts that WhatsApp names"),
            Setting(
                "WHATSAPP_NOISE_ROOT_KEY", .hex(bytes: 32), "", "Root key of the server's certificate chain",
                note: "WhatsApp's, built in"),
            Setting("WHATSAPP_TLS_CA_FILE", .path, "", "Extra certificate authority (PEM)", note: "the system's alone"),
            Setting(
                "WHATSAPP_CLIENT_PROXY_URL", .url(["http", "https", "socks5"]), "",
                "Proxy of WebSocket and media unless the device has its own"),
            Setting("WHATSAPP_DEVICE_OS_NAME", .text(64), "Chrome", "Name shown under Linked devices"),
            Setting(
                "WHATSAPP_PASSKEY_COMPARE", .bool, "false",
                "Have codes compared whenever a link takes a passkey, also where WhatsApp does without"),
            Setting(
                "WHATSAPP_KEEPALIVE_MAX_SILENCE", .duration(Duration.seconds(30)...Duration.seconds(3600)), "3m",
                "Age of the last answered ping at which a socket is replaced"),
        ])

    private static let simulation = SettingGroup(
        title: "Behaviour simulation",
        settings: [
            Setting("WHATSAPP_AUTO_PRESENCE_ENABLED", .bool, "true", "Be available around sends"),
            Setting("WHATSAPP_AUTO_TYPING_ENABLED", .bool, "true", "Show typing before sends; needs presence"),
            Setting(
                "WHATSAPP_TYPING_DELAY_MIN", .duration(Duration.zero...Duration.seconds(30)), "1s", "Shortest typing"),
            Setting(
                "WHATSAPP_TYPING_DELAY_MAX", .duration(Duration.zero...Duration.seconds(30)), "3s", "Longest typing"),
            Setting("WHATSAPP_READ_RECEIPT_JITTER_ENABLED", .bool, "true", "Wait before automatic read receipts"),
            Setting(
                "WHATSAPP_READ_RECEIPT_DELAY_MIN", .duration(Duration.zero...Duration.seconds(60)), "500ms",
                "Shortest wait"),
            Setting(
                "WHATSAPP_READ_RECEIPT_DELAY_MAX", .duration(Duration.zero...Duration.seconds(60)), "2s", "Longest wait"
            ),
            Setting("WHATSAPP_AUTO_MARK_READ", .bool, "false", "Mark incoming messages as read"),
        ])

    private static let sendLimit = SettingGroup(
        title: "Send rate limit of a device",
        settings: [
            Setting("WHATSAPP_RATE_LIMIT_ENABLED", .bool, "false", "Limit sends"),
            Setting("WHATSAPP_RATE_LIMIT_MSG_PER_MINUTE", .integer(1...6000), "20", "Sends per minute"),
            Setting("WHATSAPP_RATE_LIMIT_BURST_SIZE", .integer(1...50), "5", "Sends at once, capped at the rate"),
        ])

    private static let sendQueue = SettingGroup(
        title: "Sends while a device reconnects",
        settings: [
            Setting(
                "SEND_QUEUE_TTL", .duration(Duration.zero...Duration.seconds(86_400)), "10m",
                "How long a message may wait for its device; 0 answers 503 instead"),
            Setting(
                "SEND_QUEUE_WAIT", .duration(Duration.zero...Duration.seconds(40)), "5s",
                "How long a request waits for its message before it is answered 202"),
            Setting("SEND_QUEUE_MAX", .integer(1...10_000), "1000", "Messages of one device that wait"),
        ])

    private static let webVersion = SettingGroup(
        title: "WhatsApp Web version",
        settings: [
            Setting(
                "WHATSAPP_VERSION_MAJOR", .integer(0...Int.max), "", "Overrides one part of the version",
                note: "built in or refreshed"),
            Setting(
                "WHATSAPP_VERSION_MINOR", .integer(0...Int.max), "", "Overrides one part of the version",
                note: "built in or refreshed"),
            Setting(
                "WHATSAPP_VERSION_PATCH", .integer(0...Int.max), "", "Overrides one part of the version",
                note: "built in or refreshed"),
            Setting(
                "WHATSAPP_WAVERSION_REFRESH_MIN_INTERVAL", .duration(anyDuration), "10m",
                "Throttle of unforced refreshes"),
            Setting("WHATSAPP_ENABLE_WAVERSION_REFRESH_CRON", .bool, "false", "Refresh by schedule"),
            Setting("WHATSAPP_WAVERSION_REFRESH_CRON_SPEC", .cron, "0 0 3 * * *", "When"),
            Setting("WHATSAPP_WAVERSION_REFRESH_CRON_FORCE", .bool, "false", "Ignore the throttle then"),
        ])

    private static let startup = SettingGroup(
        title: "Reconnecting at start",
        settings: [
            Setting(
                "WHATSAPP_STARTUP_RECONNECT_CONCURRENCY", .integer(1...100), "10", "Devices restored at the same time"),
            Setting(
                "WHATSAPP_STARTUP_RECONNECT_JITTER_MAX", .duration(Duration.zero...Duration.seconds(60)), "5s",
                "Random wait before each device"),
            Setting("WHATSAPP_STARTUP_RECONNECT_RETRIES", .integer(1...10), "3", "Attempts per device in this pass"),
            Setting(
                "WHATSAPP_STARTUP_RECONNECT_BACKOFF_BASE", .duration(positive), "2s", "First wait between attempts"),
            Setting("WHATSAPP_STARTUP_RECONNECT_BACKOFF_MAX", .duration(positive), "30s", "Longest wait"),
        ])

    private static let caches = SettingGroup(
        title: "Caches",
        settings: [
            Setting("WHATSAPP_GROUP_LIST_CACHE_TTL", .duration(positive), "5m", "Age of a device's group list"),
            Setting("WHATSAPP_GROUP_LIST_CACHE_DISABLED", .bool, "false", "Always ask for it"),
            Setting("WHATSAPP_ISON_CACHE_ENABLED", .bool, "false", "Cache answers to 'is this number registered'"),
            Setting("WHATSAPP_ISON_CACHE_TTL", .duration(positive), "5m", "Their age"),
            Setting("WHATSAPP_ISON_CACHE_MAX", .integer(1...10_000_000), "10000", "Entries"),
            Setting("WHATSAPP_ISON_BATCH_SIZE", .integer(1...500), "50", "Numbers per question"),
        ])
}
