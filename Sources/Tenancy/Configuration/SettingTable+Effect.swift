extension SettingTable {
    /// Settings that are read and checked and change nothing yet. Whoever sets one is told so at start and by `doctor`;
    /// `.env.example` says it too. A setting leaves this list in the change that gives it its effect.
    static let withoutEffect: Set<String> = [
        "API_STRICT_BODY", "CHATWOOT_ENABLED", "GOWA_ALLOW_INSECURE_WEBHOOK_TLS", "GOWA_BODY_LIMIT_SIZE", "GOWA_COMPAT",
        "GOWA_ENABLED", "GOWA_OS", "GOWA_OUTBOX_TTL", "GOWA_PREFIX", "GOWA_PUBLIC_URL", "GOWA_REQUEST_TIMEOUT",
        "GOWA_SEND_WAIT", "GOWA_STATICS_PUBLIC", "GOWA_STATIC_URL_TTL", "GOWA_UI_ENABLED", "GOWA_WS_MAX_PER_KEY",
        "HISTORY_SYNC_STORE", "LOG_PII", "MCP_ENABLED", "MEDIA_RETENTION_DAYS", "MEDIA_STORE_DIR",
        "MEDIA_TRANSCODE_COMMAND", "SEND_DURABILITY", "WEBHOOK_CACHE_TTL_SECONDS", "WEBHOOK_PROXY_TRUSTED",
        "WEBHOOK_PROXY_URL", "WHATSAPP_ACCOUNT_VALIDATION", "WHATSAPP_APPSTATE_WEBHOOK_ENABLED",
        "WHATSAPP_AUTO_DOWNLOAD_MEDIA", "WHATSAPP_AUTO_MARK_READ", "WHATSAPP_DEVICE_RECOVERY_CRON_SPEC",
        "WHATSAPP_ENABLE_DEVICE_RECOVERY_CRON", "WHATSAPP_ENABLE_HEALTH_CHECK_CRON",
        "WHATSAPP_ENABLE_WAVERSION_REFRESH_CRON", "WHATSAPP_GROUP_LIST_CACHE_DISABLED", "WHATSAPP_GROUP_LIST_CACHE_TTL",
        "WHATSAPP_ISON_BATCH_SIZE", "WHATSAPP_ISON_CACHE_ENABLED", "WHATSAPP_ISON_CACHE_MAX", "WHATSAPP_ISON_CACHE_TTL",
        "WHATSAPP_KEYS_DATASTORE_URI", "WHATSAPP_LOG_LEVEL", "WHATSAPP_MEDIA_IMAGE_COMPRESSION",
        "WHATSAPP_MEDIA_IMAGE_CONVERT_WEBP", "WHATSAPP_MEDIA_URL", "WHATSAPP_READ_RECEIPT_DELAY_MAX",
        "WHATSAPP_READ_RECEIPT_DELAY_MIN", "WHATSAPP_READ_RECEIPT_JITTER_ENABLED",
        "WHATSAPP_STARTUP_RECONNECT_BACKOFF_BASE", "WHATSAPP_STARTUP_RECONNECT_BACKOFF_MAX",
        "WHATSAPP_STARTUP_RECONNECT_RETRIES", "WHATSAPP_WAVERSION_REFRESH_CRON_FORCE",
        "WHATSAPP_WAVERSION_REFRESH_CRON_SPEC",
    ]

    /// Those of them that promise protection: who sets one believes to be protected, so that the process does not start.
    static let refusedWithoutEffect: Set<String> = ["WEBHOOK_PROXY_URL", "WHATSAPP_KEYS_DATASTORE_URI"]
}

extension Setting {
    /// Changes something when it is set.
    package var hasEffect: Bool { !SettingTable.withoutEffect.contains(name) }
}

extension SettingReader {
    /// Says of every setting that was set and changes nothing that it does not.
    mutating func checkEffects(of names: some Sequence<String>) {
        for name in names.sorted() where SettingTable.withoutEffect.contains(name) && isSet(name) {
            if SettingTable.refusedWithoutEffect.contains(name) {
                problem(name, "is not supported yet, and starting without it would be less safe than it looks")
            } else {
                warn(name, "has no effect yet")
            }
        }
    }
}
