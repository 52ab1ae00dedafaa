import Foundation
import Messaging
import Storage
import Tenancy
import Webhooks

extension RouteCatalogue {
    private static let parseError = "Failed to parse body request"

    /// Proxy, passive mode, receipts and push registration of the calling device (10-rest-api, section 10).
    var deviceSettingRoutes: [Route] {
        [
            Route(
                .get, "/devices/me/proxy", .device, number: "+", "The device's own proxy, its password masked",
                answer: .data("Device proxy configuration", .proxy), statuses: [200, 404]
            ) { call in
                let proxy = try await dependencies.settings.proxy(call.device.scope)
                return .ok("Device proxy configuration") { writer in
                    writer.object { writer in
                        writer.member("proxy_url", proxy.map { ProxyURL.masked($0) } ?? "")
                        writer.member("active", proxy != nil)
                    }
                }
            },
            Route(
                .post, "/devices/me/proxy", .device, number: "+", "Set or clear the device's own proxy",
                body: .fields(
                    [
                        .init(
                            "proxy_url", "http://, https:// or socks5:// URL; empty clears it",
                            example: "http://proxy.example:8080")
                    ],
                    parseError: Self.parseError),
                answer: .message("Device proxy configured successfully"), errors: [.session],
                statuses: [200, 400, 503], waits: true
            ) { call in
                let text = try call.body.string("proxy_url")?.trimmingWhitespace() ?? ""
                if !text.isEmpty { try await checkProxy(text) }
                try await dependencies.settings.setProxy(call.device.scope, text.isEmpty ? nil : text)
                return .ok("Device proxy configured successfully")
            },
            Route(
                .post, "/devices/me/passive", .device, number: "24", "Stop or resume the server's pushing of messages",
                body: .fields([.init("passive", .boolean, "Default false")], parseError: "Failed parse body request"),
                answer: .message("Passive mode set successfully"), errors: [.session, .whatsApp],
                statuses: [200, 409, 503], waits: true
            ) { call in
                let passive = try call.body.bool("passive") ?? false
                let session = try await dependencies.gate.session(call.device.scope)
                try await session.setPassive(passive)
                try await dependencies.settings.setPassive(call.device.scope, passive)
                return .ok("Passive mode set successfully")
            },
            Route(
                .post, "/devices/me/force-active-receipts", .device, number: "+",
                "Send delivery receipts as if in the foreground",
                body: .fields([.init("active", .boolean, "Default false")], parseError: Self.parseError),
                answer: .message("Force active delivery receipts updated successfully"),
                errors: [.session, .whatsApp], statuses: [200, 409, 503], waits: true
            ) { call in
                let active = try call.body.bool("active") ?? false
                let session = try await dependencies.gate.session(call.device.scope)
                guard session.state.isPaired else { throw APIError.clientNotLoaded }
                try await dependencies.settings.setForceActiveReceipts(call.device.scope, active)
                await session.setForceActiveReceipts(active)
                return .ok("Force active delivery receipts updated successfully")
            },
            Route(
                .post, "/devices/me/push-notifications", .device, number: "+",
                "Keep a push registration of the customer's app",
                body: .fields(
                    [
                        .init("platform", required: true, "Push service", values: ["fcm", "apns", "webhook"]),
                        .init("token", "Required for fcm and apns; at most 4096 characters", length: 0...4096),
                    ], parseError: Self.parseError), answer: .message("Push notifications registered successfully"),
                statuses: [200, 400]
            ) { call in
                let platform = try call.body.string("platform")?.trimmingWhitespace().lowercased() ?? ""
                guard ["fcm", "apns", "webhook"].contains(platform) else {
                    throw APIError.validation("platform must be one of: fcm, apns, webhook", field: "platform")
                }
                let token = try call.body.string("token")?.trimmingWhitespace() ?? ""
                if platform != "webhook", token.isEmpty {
                    throw APIError.validation("token is required for fcm/apns platforms", field: "token")
                }
                guard token.count <= 4096 else { throw APIError.validation("token is too long", field: "token") }
                try await dependencies.settings.setPush(
                    call.device.scope, platform: platform, token: token.isEmpty ? nil : token)
                return .ok("Push notifications registered successfully")
            },
            Route(
                .delete, "/devices/me/push-notifications", .device, "Forget the push registration",
                answer: .message("Push notifications removed successfully"), statuses: [200, 404]
            ) { call in
                try await dependencies.settings.clearPush(call.device.scope)
                return .ok("Push notifications removed successfully")
            },
        ]
    }

    /// Throws 400 for anything but a proxy that customers may use.
    private func checkProxy(_ text: String) async throws {
        let proxy = try ProxyURL.parse(text)
        if api.allowsPrivateProxies { return }
        do {
            _ = try await ProxyEgress(dependencies.egress).addresses(ofHost: proxy.host, port: proxy.port)
        } catch let refusal as EgressGuard.Refusal {
            throw switch refusal {
            case .malformed, .scheme, .schemeBesideHTTP: ProxyURL.malformed
            case .unresolvable: APIError.validation("proxy host name could not be resolved", field: "proxy_url")
            case .privateAddress:
                APIError.validation("private/local network proxies are not allowed", field: "proxy_url")
            }
        }
    }
}

/// A proxy as customers write it.
enum ProxyURL {
    /// Host and port; both are given. Throws 400.
    static func parse(_ text: String) throws(APIError) -> (host: String, port: Int) {
        let lower = text.lowercased()
        guard ["http://", "https://", "socks5://"].contains(where: { lower.hasPrefix($0) }) else {
            throw .validation(
                "proxy URL must start with http:// or https://", field: "proxy_url", hint: "socks5:// is taken too.")
        }
        guard text.utf8.count <= 2048, let address = DeviceSettings.proxyAddress(text) else { throw malformed }
        return address
    }

    static let malformed = APIError.validation(
        "proxy URL must be valid", field: "proxy_url",
        hint: "http://host:port or with a user name and password before the host; the port 80, 443, or 1024 and above")

    /// `http://user:***@host:port`.
    static func masked(_ text: String) -> String {
        guard let scheme = text.range(of: "://") else { return "" }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@") else { return text }
        let user = authority[..<at].prefix { $0 != ":" }
        let password = user.endIndex == at ? "" : ":***"
        return text[..<scheme.upperBound] + user + password + rest[at...]
    }
}
