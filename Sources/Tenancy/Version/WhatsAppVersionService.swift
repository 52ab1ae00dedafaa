import Foundation
import Logging
import Messaging
import NIOConcurrencyHelpers
import Storage

/// Fetches a page over HTTP. The implementation follows no redirects to other hosts and bounds size and time.
package protocol PageFetching: Sendable {
    /// Body of a 200 answer. Throws `VersionFetchError`.
    func page(_ url: String) async throws -> [UInt8]
}

package struct VersionFetchError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// What the version endpoints show.
package struct VersionStatus: Sendable, Equatable {
    package var version: WhatsAppVersion
    /// Of the last refresh, also a failed one.
    package var lastAttempt: Timestamp?
    package var lastError: String
}

/// Keeps the version that new connections announce: built in, refreshed from WhatsApp's pages, shared by all nodes through
/// the database, and overridden part by part by the settings (10-rest-api, section 8; 13-configuration, section 4.8).
package actor WhatsAppVersionService {
    private static let key = "wa_version"

    private let store: SettingsRepository
    private let pages: any PageFetching
    private let settings: WhatsAppSettings
    private let clock: any WallClock
    private let logger: Logger
    private let newest: NIOLockedValueBox<WhatsAppVersion>
    private var stored: Stored?
    private var refreshing: Task<VersionStatus, any Error>?

    private struct Stored: Codable {
        var version: String
        /// Microseconds since 1970.
        var attemptedAt: Int64?
        var error: String
    }

    package init(
        database: StorageDatabase, pages: any PageFetching, settings: WhatsAppSettings,
        clock: any WallClock = SystemClock(), logger: Logger = Logger(label: "version")
    ) {
        store = SettingsRepository(database)
        self.pages = pages
        self.settings = settings
        self.clock = clock
        self.logger = logger
        newest = NIOLockedValueBox(Self.version(Stored(version: WhatsAppVersion.builtIn.text, error: ""), settings))
    }

    /// The version in use as far as it was read, without waiting.
    package nonisolated var latest: WhatsAppVersion { newest.withLockedValue { $0 } }

    /// The version in use. Reads the database the first time.
    package func status() async throws -> VersionStatus { present(try await load()) }

    /// The version in use, without failing: the built-in one while the database is away.
    package func current() async -> WhatsAppVersion {
        let known = try? await load()
        return present(known ?? Stored(version: WhatsAppVersion.builtIn.text, error: "")).version
    }

    /// Reads again: another node changed it.
    package func changed() async {
        stored = nil
        _ = try? await load()
    }

    /// Fetches the newest version. Concurrent calls share one fetch. Unforced ones are skipped for a while after an attempt.
    ///
    /// - Throws: `VersionFetchError` when neither page tells; the failure is remembered.
    package func refresh(force: Bool) async throws -> (status: VersionStatus, isRefreshed: Bool) {
        if let refreshing { return (try await refreshing.value, true) }
        let known = try await load()
        if !force, let last = known.attemptedAt {
            let age = Duration.microseconds(clock.now().microseconds - last)
            if age < settings.versionRefreshInterval { return (present(known), false) }
        }
        // Another call may have begun while this one read the database.
        if let refreshing { return (try await refreshing.value, true) }
        let task = Task { try await fetch(known) }
        refreshing = task
        defer { refreshing = nil }
        return (try await task.value, true)
    }

    private func fetch(_ known: Stored) async throws -> VersionStatus {
        var next = known
        next.attemptedAt = clock.now().microseconds
        do {
            let revision = try await revision()
            let found = WhatsAppVersion(
                major: WhatsAppVersion.builtIn.major, minor: WhatsAppVersion.builtIn.minor, revision: revision)
            next.version = max(found, WhatsAppVersion.builtIn).text
            next.error = ""
        } catch {
            next.error = "\(error)"
            try await save(next)
            throw error
        }
        try await save(next)
        logger.info("WhatsApp Web version refreshed", metadata: ["version": "\(next.version)"])
        return present(next)
    }

    /// From the page, then from the service worker; 20 s for both.
    private func revision() async throws -> Int {
        let found = try await Race.run(within: .seconds(20)) { [self] in try await searchPages() }
        guard let found else { throw VersionFetchError("the pages did not answer in time") }
        return found
    }

    private func searchPages() async throws -> Int {
        var origin = settings.webOrigin
        while origin.hasSuffix("/") { origin.removeLast() }
        var failure = VersionFetchError("the pages name no client revision")
        for path in ["/", "/sw.js"] {
            do {
                if let revision = VersionPage.revision(in: try await pages.page(origin + path)) { return revision }
            } catch let error as VersionFetchError {
                failure = error
            }
        }
        throw failure
    }

    private func load() async throws -> Stored {
        if let stored { return stored }
        let text = try await store.value(Self.key)
        let loaded = text.flatMap { try? JSONDecoder().decode(Stored.self, from: Data($0.utf8)) }
        let value = loaded ?? Stored(version: WhatsAppVersion.builtIn.text, error: "")
        keep(value)
        return value
    }

    private func keep(_ value: Stored) {
        stored = value
        newest.withLockedValue { $0 = Self.version(value, settings) }
    }

    private func save(_ value: Stored) async throws {
        keep(value)
        try await store.set(Self.key, json: String(decoding: try JSONEncoder().encode(value), as: UTF8.self))
    }

    /// The stored version, never below the built-in one, with the parts that the settings pin.
    private static func version(_ stored: Stored, _ settings: WhatsAppSettings) -> WhatsAppVersion {
        var version = max(WhatsAppVersion(stored.version) ?? .builtIn, .builtIn)
        version.major = settings.versionMajor ?? version.major
        version.minor = settings.versionMinor ?? version.minor
        version.revision = settings.versionPatch ?? version.revision
        return version
    }

    private func present(_ stored: Stored) -> VersionStatus {
        VersionStatus(
            version: Self.version(stored, settings), lastAttempt: stored.attemptedAt.map(Timestamp.init(microseconds:)),
            lastError: stored.error)
    }
}
