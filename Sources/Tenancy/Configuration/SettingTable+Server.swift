private let anyDuration = Duration.zero...DurationText.longest
private let positive = Duration.nanoseconds(1)...DurationText.longest

extension SettingTable {
    static let sources = SettingGroup(
        title: "Where settings come from",
        settings: [
            Setting("ENV_FILE", .path, ".env", "File read before anything else; the environment wins over it"),
            Setting(
                "CONFIG_LENIENT", .bool, "false", "Turn errors of optional settings into warnings and use the default"),
            Setting(
                "ALLOW_INSECURE_DEFAULTS", .bool, "false", "Accept the sample secrets that everybody knows (tests only)"
            ),
        ])

    static let authentication = SettingGroup(
        title: "Authentication and secrets",
        settings: [
            Setting(
                "ADMIN_SECRET_KEY", .secret(16), "", "Value of the X-Admin-Secret header; 32 characters or more",
                required: true, fromFile: true),
            Setting(
                "ADMIN_SECRET_KEY_PREVIOUS", .secret(16), "", "Accepted too while the admin secret is being replaced",
                fromFile: true),
            Setting(
                "JWT_SECRET_KEY", .secret(16), "", "HMAC key of device tokens; 32 characters or more", required: true,
                fromFile: true),
            Setting(
                "JWT_SECRET_KEY_PREVIOUS", .secret(16), "", "Verifies old device tokens, never signs", fromFile: true),
            Setting(
                "SECRETS_KEY", .key(bytes: 32), "",
                "Seals what must be recoverable: Noise keys, webhook secrets, proxies",
                note: "derived from JWT_SECRET_KEY, with a warning", fromFile: true),
            Setting(
                "SECRETS_KEY_PREVIOUS", .keys(bytes: 32), "", "Older keys, for reading what they sealed", fromFile: true
            ),
            Setting(
                "API_KEY_PEPPER", .secret(16), "",
                "Mixed into the stored hashes of API keys; set it before the first key",
                fromFile: true),
            Setting(
                "ENCRYPT_SESSION_DATA", .bool, "", "Seal Signal sessions and sender keys too",
                note: "true when SECRETS_KEY is set"),
            Setting(
                "AUTH_STALE_MAX", .duration(Duration.seconds(1)...Duration.seconds(600)), "30s",
                "How long tokens are still trusted while the database is away"),
        ])

    static let server = SettingGroup(
        title: "Server and HTTP",
        settings: [
            Setting("SERVER_ADDRESS", .address, "0.0.0.0", "Address to listen on"),
            Setting("SERVER_PORT", .integer(0...65535), "7001", "Port to listen on; 0 takes any free one"),
            Setting("HTTP_BASE_URL", .urlPath, "", "Prefix of all routes, such as /api/v1"),
            Setting("HTTP_CORS_ORIGIN", .origins, "*", "Origins that browsers may call from"),
            Setting("HTTP_BODY_LIMIT_SIZE", .size(minimum: 1024), "8M", "Largest request body"),
            Setting(
                "HTTP_MEDIA_BODY_LIMIT_SIZE", .size(minimum: 1024), "", "Largest body of an upload",
                note: "as HTTP_BODY_LIMIT_SIZE"),
            Setting("HTTP_GZIP_LEVEL", .integer(0...9), "1", "Compression of answers; 0 is off"),
            Setting("HTTP_CACHE_TTL_SECONDS", .integer(0...3600), "5", "Age of cached answers; 0 is off"),
            Setting(
                "HTTP_REQUEST_TIMEOUT", .duration(Duration.seconds(1)...Duration.seconds(3600)), "90s",
                "Longest request"),
            Setting(
                "HTTP_TRUSTED_PROXIES", .addressBlocks, "", "Proxies whose X-Forwarded-For and X-Real-IP are believed"),
            Setting("HTTP_TLS_CERT_FILE", .path, "", "Certificate chain (PEM) for TLS on the listener"),
            Setting("HTTP_TLS_KEY_FILE", .path, "", "Private key (PEM) for TLS on the listener"),
            Setting("HTTP_MAX_CONNECTIONS", .integer(1...1_000_000), "10000", "Connections accepted at the same time"),
            Setting(
                "HTTP_MAX_CONNECTIONS_PER_ADDRESS", .integer(0...1_000_000), "256",
                "Connections of one client address on which no valid credential was shown yet; 0 is no limit"),
            Setting(
                "API_ERROR_STATUS_MODE", .choice(["strict", "reference"]), "strict",
                "'reference' brings back status 500 for failures after validation"),
            Setting(
                "API_KEY_STYLE", .choice(["both", "reference", "snake"]), "both",
                "Spelling of the keys in small answer objects"),
            Setting("API_STRICT_BODY", .bool, "false", "Refuse bodies in which a documented boolean is missing"),
            Setting(
                "API_WEBHOOK_PATCH_MODE", .choice(["patch", "reference"]), "patch",
                "'reference': PATCH of a webhook resets members that are absent"),
            Setting("PROXY_ALLOW_PRIVATE", .bool, "false", "Allow per-device proxies in private networks"),
            Setting("METRICS_ENABLED", .bool, "true", "Serve /metrics"),
            Setting(
                "METRICS_ADDRESS", .listener, "", "host:port of a listener for metrics alone",
                note: "the API listener, behind the admin secret"),
            Setting(
                "DOCS_ASSETS_DIR", .path, "", "Folder with Swagger UI's swagger-ui.css and swagger-ui-bundle.js",
                note: ".tools/swagger-ui, /usr/local/share/switchboard/swagger-ui, /usr/share/switchboard/swagger-ui"),
        ])

    static let database = SettingGroup(
        title: "Database",
        settings: [
            Setting(
                "WHATSAPP_DATASTORE_TYPE", .choice(["postgres", "postgresql", "pgx"]), "postgres",
                "Kind of database; PostgreSQL is the only one"),
            Setting(
                "WHATSAPP_DATASTORE_URI", .dataSource, "", "Connection to PostgreSQL 15 or later", required: true,
                note: "'switchboard dev' runs its own private PostgreSQL"),
            Setting(
                "WHATSAPP_KEYS_DATASTORE_URI", .dataSource, "", "Separate database for key material",
                note: "everything in one database"),
            Setting(
                "DB_POOL_SIZE", .integer(1...1000), "", "Connections for reads and API transactions",
                note: "2 x cores, at least 4"),
            Setting("DB_POOL_MIN", .integer(0...1000), "2", "Connections kept open while idle"),
            Setting("DB_STATEMENT_TIMEOUT", .duration(anyDuration), "15s", "Longest statement; 0 is no limit"),
            Setting("DB_LOCK_TIMEOUT", .duration(anyDuration), "5s", "Longest wait for a lock; 0 is no limit"),
            Setting("DB_PREPARED_STATEMENTS", .bool, "true", "false behind transaction poolers"),
            Setting("DB_MIGRATE", .choice(["auto", "check", "off"]), "auto", "Schema migration at start"),
            Setting("DATA_DIR", .path, "data", "Directory of 'switchboard dev': its PostgreSQL and its sandbox"),
        ])

    static let storage = SettingGroup(
        title: "Messages and media",
        settings: [
            Setting(
                "SEND_DURABILITY", .choice(["committed", "overlapped"]), "committed",
                "'overlapped' sends while the intent is still being written"),
            Setting("MESSAGE_STORE_ENABLED", .bool, "true", "Keep message rows"),
            Setting("MESSAGE_RETENTION_DAYS", .integer(0...36_500), "90", "Age at which messages go; 0 keeps them"),
            Setting("MESSAGE_STORE_CONTENT", .choice(["full", "meta"]), "full", "'meta' keeps ids and no contents"),
            Setting("HISTORY_SYNC_STORE", .bool, "true", "Import the history that phones send"),
            Setting("WHATSAPP_AUTO_DOWNLOAD_MEDIA", .bool, "false", "Download media as it arrives"),
            Setting("MEDIA_STORE_DIR", .path, "", "Where downloaded media goes", note: "not stored"),
            Setting("MEDIA_RETENTION_DAYS", .integer(0...36_500), "30", "Age at which stored media goes; 0 keeps it"),
            Setting("MEDIA_TRANSCODE_COMMAND", .path, "", "ffmpeg for voice notes and video thumbnails", note: "none"),
            Setting("WHATSAPP_MEDIA_IMAGE_COMPRESSION", .bool, "true", "Re-encode images before sending"),
            Setting("WHATSAPP_MEDIA_IMAGE_CONVERT_WEBP", .bool, "true", "Turn WebP images into PNG before sending"),
        ])

    static let webhooks = SettingGroup(
        title: "Webhooks",
        settings: [
            Setting("WEBHOOKS_ENABLED", .bool, "true", "Deliver webhooks"),
            Setting("WEBHOOK_WORKERS", .integer(1...32), "4", "Delivery workers"),
            Setting("WEBHOOK_INFLIGHT_PER_WORKER", .integer(1...256), "16", "Requests in flight per worker"),
            Setting(
                "WEBHOOK_TENANT_MAX_INFLIGHT", .integer(1...8192), "", "Requests in flight of one tenant",
                note: "half of workers x in flight"),
            Setting(
                "WEBHOOK_TENANT_RATE", .integer(0...100_000), "0",
                "Attempts per second of one tenant on each node; 0 sets no rate"),
            Setting("WEBHOOK_RETRY_LIMIT", .integer(1...10), "3", "Attempts of the fast phase"),
            Setting(
                "WEBHOOK_RETRY_SCHEDULE", .durations, "1m,5m,30m,2h,5h,10h,14h,20h,24h",
                "Waits of the slow phase; set it empty for none", emptyAllowed: true),
            Setting(
                "WEBHOOK_TIMEOUT", .duration(Duration.seconds(1)...Duration.seconds(30)), "10s",
                "Longest delivery attempt"),
            Setting("WEBHOOK_MAX_AGE", .duration(positive), "96h", "Age at which a delivery is given up"),
            Setting("WEBHOOK_DISABLE_AFTER", .duration(positive), "120h", "Failing for so long switches a webhook off"),
            Setting(
                "WEBHOOK_BODY_RETENTION", .duration(positive), "24h", "How long delivered bodies are kept for replay"),
            Setting("WEBHOOK_DELIVERY_RETENTION_DAYS", .integer(1...365), "7", "Age at which the delivery log goes"),
            Setting("WEBHOOK_MAX_PER_DEVICE", .integer(1...20), "5", "Webhooks of one device"),
            Setting(
                "WEBHOOK_CACHE_TTL_SECONDS", .integer(0...3600), "60",
                "Staleness of subscriptions when notifications fail"),
            Setting("WEBHOOK_ALLOW_HTTP", .bool, "false", "Allow http:// targets"),
            Setting("WEBHOOK_PROXY_URL", .url(["http", "https", "socks5"]), "", "Proxy of webhook requests"),
            Setting("WEBHOOK_PROXY_TRUSTED", .bool, "false", "The proxy itself guards private networks"),
            Setting("WHATSAPP_APPSTATE_WEBHOOK_ENABLED", .bool, "false", "Send appstate.* events"),
            Setting("EGRESS_ALLOW_CIDRS", .addressBlocks, "", "Private addresses that customers may reach"),
            Setting("EGRESS_DENY_CIDRS", .addressBlocks, "", "Addresses that they may not reach"),
        ])

    static let jobs = SettingGroup(
        title: "Jobs and logging",
        settings: [
            Setting(
                "WHATSAPP_ENABLE_HEALTH_CHECK_CRON", .bool, "false",
                "Periodic check of every device; liveness is watched anyway"),
            Setting(
                "WHATSAPP_ENABLE_DEVICE_RECOVERY_CRON", .bool, "true",
                "Find devices that should run and have no live lease"),
            Setting("WHATSAPP_DEVICE_RECOVERY_CRON_SPEC", .cron, "0 */2 * * * *", "When it looks"),
            Setting("LOG_LEVEL", .choice(["debug", "info", "warn", "error"]), "info", "Own log"),
            Setting(
                "LOG_FORMAT", .choice(["text", "json"]), "", "Shape of log lines",
                note: "text on a terminal, json elsewhere"),
            Setting("LOG_PII", .bool, "false", "Show whole numbers at debug level"),
            Setting("WHATSAPP_LOG_LEVEL", .choice(["DEBUG", "INFO", "WARN", "ERROR"]), "ERROR", "Protocol log"),
            Setting("TZ", .text(64), "", "Time zone of the schedules", note: "UTC"),
        ])

    static let node = SettingGroup(
        title: "Node and cluster",
        settings: [
            Setting("NODE_ID", .text(64), "", "Name in leases and logs", note: "random per start"),
            Setting(
                "NODE_ADVERTISE_URL", .url(["http", "https"]), "", "Where other nodes forward requests",
                note: "http://<first non-loopback address>:<port>"),
            Setting(
                "NODE_CLUSTER_SECRET", .secret(16), "", "Authenticates forwarded requests",
                note: "derived from JWT_SECRET_KEY", fromFile: true),
            Setting("NODE_MAX_DEVICES", .integer(1...1_000_000), "10000", "Devices this node takes"),
            Setting(
                "LEASE_TTL", .duration(Duration.seconds(5)...Duration.seconds(300)), "15s", "Lifetime of a device lease"
            ),
            Setting(
                "LEASE_RENEW", .duration(Duration.seconds(1)...Duration.seconds(100)), "5s", "Interval of its renewal"),
            Setting(
                "SHUTDOWN_TIMEOUT", .duration(Duration.seconds(1)...Duration.seconds(600)), "25s",
                "Time to stop cleanly"),
        ])

    static let deviceScoping = SettingGroup(
        title: "Device-scoping API (surface G) and optional modules",
        settings: [
            Setting("GOWA_ENABLED", .bool, "true", "Serve the device-scoping API"),
            Setting("GOWA_UI_ENABLED", .bool, "true", "Serve its page"),
            Setting(
                "GOWA_PREFIX", .urlPath, "/gowa", "Prefix that always means this API; set it empty for none",
                emptyAllowed: true),
            Setting("GOWA_COMPAT", .choice(["off", "v9"]), "off", "Answer as version 9 did where it differs"),
            Setting(
                "GOWA_REQUEST_TIMEOUT", .duration(Duration.seconds(1)...Duration.seconds(600)), "45s", "Longest request"
            ),
            Setting("GOWA_BODY_LIMIT_SIZE", .size(minimum: 1024), "100M", "Largest request body"),
            Setting(
                "GOWA_SEND_WAIT", .duration(Duration.zero...Duration.seconds(40)), "20s",
                "Wait for a send before it is queued"),
            Setting("GOWA_OUTBOX_TTL", .duration(positive), "10m", "Age at which a queued send is given up"),
            Setting("GOWA_PUBLIC_URL", .url(["http", "https"]), "", "Own address in links", note: "from the request"),
            Setting("GOWA_STATIC_URL_TTL", .duration(positive), "24h", "Lifetime of links to stored files"),
            Setting("GOWA_STATICS_PUBLIC", .bool, "false", "Stored files need no credentials"),
            Setting("GOWA_ALLOW_INSECURE_WEBHOOK_TLS", .bool, "false", "Let customers switch certificate checks off"),
            Setting("GOWA_WS_MAX_PER_KEY", .integer(1...10_000), "50", "Event sockets per API key"),
            Setting("GOWA_OS", .text(64), "", "Name under Linked devices", note: "as WHATSAPP_DEVICE_OS_NAME"),
            Setting("MCP_ENABLED", .bool, "true", "Serve the model context protocol"),
            Setting("CHATWOOT_ENABLED", .bool, "false", "Serve the Chatwoot bridge"),
            Setting("WHATSAPP_ACCOUNT_VALIDATION", .bool, "true", "Ask whether a number is registered before sending"),
        ])

    static let sandbox = SettingGroup(
        title: "Sandbox and tests",
        settings: [
            Setting("SANDBOX_ADDRESS", .address, "127.0.0.1", "Address of its three listeners"),
            Setting(
                "SANDBOX_CHAT_PORT", .integer(0...65535), "7070", "WebSocket of WhatsApp clients; 0 takes any free port"
            ),
            Setting("SANDBOX_CONTROL_PORT", .integer(0...65535), "7071", "Control API and page"),
            Setting("SANDBOX_MEDIA_PORT", .integer(0...65535), "7072", "Media server"),
            Setting(
                "SANDBOX_CONTROL_TOKEN", .text(256), "", "Bearer token of the control API", note: "none is asked for"),
            Setting("SANDBOX_SEED", .text(256), "sandbox", "Seed of the default world"),
            Setting("SANDBOX_CLOCK", .choice(["real", "virtual"]), "real", "Clock of the default world"),
            Setting("SANDBOX_TLS_CERT_FILE", .path, "", "Certificate chain (PEM) of the media listener"),
            Setting("SANDBOX_TLS_KEY_FILE", .path, "", "Private key (PEM) of the media listener"),
            Setting(
                "CHAOS_SEED", .integer(0...Int.max), "", "Replays one run of the chaos test", note: "several seeds"),
            Setting("CHAOS_SEEDS", .integer(1...1_000_000), "8", "Seeds of the chaos test"),
            Setting("CHAOS_STEPS", .integer(1...1_000_000), "96", "Steps of each run"),
        ])

    static let obsolete = SettingGroup(
        title: "Accepted and ignored",
        settings: [
            Setting("LIBWEBP_VERSION", .text(64), "0.6.1", "Never had an effect")
        ])
}
