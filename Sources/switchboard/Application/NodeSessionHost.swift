import Messaging
import Tenancy
import Transport

/// What sessions ask of the process that runs them.
struct NodeSessionHost: SessionHost {
    let versions: WhatsAppVersionService

    /// The version that new connections announce.
    func current() async -> ClientVersion { ClientVersion(await versions.current()) }

    var clientVersion: ClientVersion? { ClientVersion(versions.latest) }

    /// What another node or an earlier refusal brought counts, too: a thousand refused devices need one refresh.
    func newerVersion(than current: ClientVersion) async -> ClientVersion? {
        if let known = await known(above: current) { return known }
        _ = try? await versions.refresh(force: true)
        return await known(above: current)
    }

    private func known(above current: ClientVersion) async -> ClientVersion? {
        let version = await self.current()
        return version > current ? version : nil
    }

    func versionExpires() { Task { [versions] in _ = try? await versions.refresh(force: false) } }
}

extension ClientVersion {
    fileprivate init(_ version: WhatsAppVersion) {
        self.init(UInt32(clamping: version.major), UInt32(clamping: version.minor), UInt32(clamping: version.revision))
    }
}
