import Foundation

/// Where a forwarded request goes: the owner's address and, on it, the path and query of the caller.
struct ForwardAddress: Sendable, Equatable {
    let url: String
    /// Path and query as they will stand in the request line, which is what gets signed: characters that do not belong
    /// there are percent-encoded on the way.
    let target: String

    /// Nil when the two together do not lead to the owner: the target comes from outside and must not be able to name
    /// another host, port or user.
    init?(owner: String, target: String) {
        guard target.hasPrefix("/"), let base = URL(string: owner), let whole = URL(string: owner + target),
            base.scheme == "http" || base.scheme == "https", let host = base.host, !host.isEmpty,
            whole.scheme == base.scheme, whole.host == host, whole.port == base.port, whole.user == nil,
            whole.password == nil,
            let prefix = URLComponents(url: base, resolvingAgainstBaseURL: true)?.percentEncodedPath,
            let path = URLComponents(url: whole, resolvingAgainstBaseURL: true)?.percentEncodedPath,
            path.hasPrefix(prefix)
        else { return nil }
        url = owner + target
        self.target = path.dropFirst(prefix.count) + (whole.query.map { "?" + $0 } ?? "")
    }
}
