import Messaging
import Tenancy
import Transport

/// What sessions ask of the process that runs them.
struct NodeSessionHost: SessionHost {
    let versions: WhatsAppVersionService

    /// The version that new connections announce.
    func current() async -> ClientVersion { ClientVersion(await versions.current()) }

    func newerVersion(than current: ClientVersion) async -> ClientVersion? {
        guard let refreshed = try? await versions.refresh(force: true).status.version else { return nil }
        let version = ClientVersion(refreshed)
        return version > current ? version : nil
    }
}

extension ClientVersion {
    fileprivate init(_ version: WhatsAppVersion) {
        self.init(UInt32(clamping: version.major), UInt32(clamping: version.minor), UInt32(clamping: version.revision))
    }
}
