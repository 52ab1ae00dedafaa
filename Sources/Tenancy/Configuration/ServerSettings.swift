/// The HTTP listener (13-configuration, section 4.2; 10-rest-api, section 2).
package struct ServerSettings: Sendable {
    package var address: String
    /// 0 takes any free port.
    package var port: Int
    /// Prefix of all routes: "" or `/path` without a slash at its end.
    package var basePath: String
    /// Lower-case origins, `*` for all.
    package var corsOrigins: [String]
    /// Bytes.
    package var bodyLimit: Int
    package var mediaBodyLimit: Int
    /// 0 is off.
    package var gzipLevel: Int
    package var cacheSeconds: Int
    package var requestTimeout: Duration
    package var trustedProxies: [AddressBlock]
    package var certificateFile: String?
    package var privateKeyFile: String?
    package var maximumConnections: Int
    /// Of one client address, without a valid credential; 0 is no limit.
    package var maximumConnectionsPerAddress: Int

    init(_ reader: inout SettingReader) {
        address = reader.text("SERVER_ADDRESS") ?? "0.0.0.0"
        port = reader.integer("SERVER_PORT")
        basePath = Self.normalized(path: reader.text("HTTP_BASE_URL") ?? "")
        corsOrigins = reader.list("HTTP_CORS_ORIGIN")
        bodyLimit = reader.integer("HTTP_BODY_LIMIT_SIZE")
        mediaBodyLimit = reader.optionalInteger("HTTP_MEDIA_BODY_LIMIT_SIZE") ?? bodyLimit
        gzipLevel = reader.integer("HTTP_GZIP_LEVEL")
        cacheSeconds = reader.integer("HTTP_CACHE_TTL_SECONDS")
        requestTimeout = reader.duration("HTTP_REQUEST_TIMEOUT")
        trustedProxies = reader.list("HTTP_TRUSTED_PROXIES").compactMap(AddressBlock.init)
        certificateFile = reader.text("HTTP_TLS_CERT_FILE")
        privateKeyFile = reader.text("HTTP_TLS_KEY_FILE")
        maximumConnections = reader.integer("HTTP_MAX_CONNECTIONS")
        maximumConnectionsPerAddress = reader.integer("HTTP_MAX_CONNECTIONS_PER_ADDRESS")
        if (certificateFile == nil) != (privateKeyFile == nil) {
            let missing = certificateFile == nil ? "HTTP_TLS_CERT_FILE" : "HTTP_TLS_KEY_FILE"
            reader.problem(missing, "required together with the other TLS file")
        }
    }

    /// Slashes at the end go, one at the start is forced (10-rest-api, section 2.1).
    static func normalized(path: String) -> String {
        var path = Substring(path)
        while path.hasSuffix("/") { path.removeLast() }
        while path.hasPrefix("/") { path.removeFirst() }
        return path.isEmpty ? "" : "/" + path
    }
}

/// How the API answers (13-configuration, section 5).
package struct APISettings: Sendable {
    package enum ErrorStatusMode: String, Sendable { case strict, reference }
    package enum KeyStyle: String, Sendable { case both, reference, snake }
    package enum WebhookPatchMode: String, Sendable { case patch, reference }

    package var errorStatusMode: ErrorStatusMode
    package var keyStyle: KeyStyle
    package var isBodyStrict: Bool
    package var webhookPatchMode: WebhookPatchMode
    package var allowsPrivateProxies: Bool
    package var isMetricsEnabled: Bool
    package var metricsAddress: String?
    /// Where Swagger UI's files are; nil: in one of the usual places, or nowhere.
    package var documentationFolder: String?

    init(_ reader: inout SettingReader) {
        errorStatusMode = reader.choice("API_ERROR_STATUS_MODE") ?? .strict
        keyStyle = reader.choice("API_KEY_STYLE") ?? .both
        isBodyStrict = reader.bool("API_STRICT_BODY")
        webhookPatchMode = reader.choice("API_WEBHOOK_PATCH_MODE") ?? .patch
        allowsPrivateProxies = reader.bool("PROXY_ALLOW_PRIVATE")
        isMetricsEnabled = reader.bool("METRICS_ENABLED")
        metricsAddress = reader.text("METRICS_ADDRESS")
        documentationFolder = reader.text("DOCS_ASSETS_DIR")
    }
}
