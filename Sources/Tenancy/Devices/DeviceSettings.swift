import Cryptography
import Messaging
import Storage
import Transport

/// Settings of one device that its customer changes: proxy, passive mode, receipts, push registration.
package struct DeviceSettings: Sendable {
    private let devices: DeviceRepository
    private let sealing: any SecretSealing
    private let sessions: any SessionDirectory
    private let details: DeviceDetails

    package init(
        database: StorageDatabase, sealing: any SecretSealing, sessions: any SessionDirectory, details: DeviceDetails
    ) {
        devices = DeviceRepository(database)
        self.sealing = sealing
        self.sessions = sessions
        self.details = details
    }

    /// The device's own proxy URL with its password, or nil.
    package func proxy(_ scope: DeviceScope) async throws -> String? {
        guard let sealed = try await devices.sealedProxy(scope) else { return nil }
        return String(decoding: try sealing.open(sealed, context: Self.proxyContext(scope)), as: UTF8.self)
    }

    /// Stores the proxy (nil clears it) and reconnects a running session through it. Throws
    /// `SessionDirectoryError.elsewhere`, with nothing changed, when another node runs it.
    package func setProxy(_ scope: DeviceScope, _ url: String?) async throws {
        let session = try await sessions.located(did: scope.did)
        let sealed = try url.map { try sealing.seal(Bytes($0.utf8), context: Self.proxyContext(scope)) }
        guard try await devices.setProxy(scope, sealed: sealed) else { throw TenancyError.deviceNotFound }
        details.forget(did: scope.did)
        // The setting holds from the next connection on, also when this one cannot be made.
        if let session { try? await session.setProxy(url) }
    }

    package func setPassive(_ scope: DeviceScope, _ passive: Bool) async throws {
        guard try await devices.setPassive(scope, passive) else { throw TenancyError.deviceNotFound }
        details.forget(did: scope.did)
    }

    package func setForceActiveReceipts(_ scope: DeviceScope, _ active: Bool) async throws {
        guard try await devices.setForceActiveReceipts(scope, active) else { throw TenancyError.deviceNotFound }
        details.forget(did: scope.did)
    }

    /// - Parameter token: Kept sealed; nil for platforms without one.
    package func setPush(_ scope: DeviceScope, platform: String, token: String?) async throws {
        let sealed = try token.map { try sealing.seal(Bytes($0.utf8), context: "devices.push_token:\(scope.did)") }
        guard try await devices.setPush(scope, platform: platform, sealedToken: sealed) else {
            throw TenancyError.deviceNotFound
        }
    }

    package func clearPush(_ scope: DeviceScope) async throws {
        guard try await devices.clearPush(scope) else { throw TenancyError.deviceNotFound }
    }

    /// Host and port of a proxy URL as those read it who dial it; nil for one that they could not use.
    package static func proxyAddress(_ url: String) -> (host: String, port: Int)? {
        (try? ProxyConfiguration(url: url)).map { ($0.host, $0.port) }
    }

    /// What the sealed proxy is bound to; whoever builds the session opens it with the same.
    package static func proxyContext(_ scope: DeviceScope) -> String { "devices.proxy_url:\(scope.did)" }
}
