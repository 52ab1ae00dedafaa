import Storage
import Tenancy

extension RouteCatalogue {
    /// The WhatsApp Web version that new connections announce (10-rest-api, section 8, rows marked *).
    var versionRoutes: [Route] {
        [
            Route(
                .get, "/admin/whatsapp/version", .admin, number: "*", "WhatsApp Web version in use",
                answer: .data("WhatsApp Web version status retrieved successfully", .version)
            ) { _ in
                let status = try await dependencies.versions.status()
                return .ok("WhatsApp Web version status retrieved successfully") { writer in
                    writer.object { $0.version(status) }
                }
            },
            Route(
                .post, "/admin/whatsapp/version/refresh", .admin, number: "*", "Fetch the current WhatsApp Web version",
                query: [.init("force", .boolean, "false: only when the last attempt is old enough")],
                answer: .data("WhatsApp Web version refreshed successfully", .refreshedVersion),
                errors: ["version_refresh_failed"], waits: true
            ) { call in
                do {
                    let (status, isRefreshed) = try await dependencies.versions.refresh(
                        force: call.query.bool("force", default: true))
                    return .ok("WhatsApp Web version refreshed successfully") { writer in
                        writer.object { writer in
                            writer.version(status)
                            writer.member("refreshed", isRefreshed)
                        }
                    }
                } catch let error as VersionFetchError {
                    throw APIError(
                        502, "version_refresh_failed", "Failed to refresh WhatsApp Web version: \(error.description)",
                        reference: true)
                }
            },
        ]
    }
}

extension JSONWriter {
    fileprivate mutating func version(_ status: VersionStatus) {
        key("wa_web_version")
        object { writer in
            writer.key("array")
            writer.array { writer in
                for part in status.version.parts { writer.integer(part) }
            }
            writer.member("string", status.version.text)
        }
        time("last_refreshed", status.lastAttempt)
        member("last_error", status.lastError)
    }
}
