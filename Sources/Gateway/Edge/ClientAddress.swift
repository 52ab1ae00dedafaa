import HTTPTypes
import Tenancy

/// The address a request is accounted to. `X-Forwarded-For` and `X-Real-IP` count only when they come from a proxy that
/// the configuration trusts (10-rest-api, section 2.4).
struct ClientAddress: Sendable {
    private let trusted: [AddressBlock]

    init(trusted: [AddressBlock]) { self.trusted = trusted }

    /// - Parameter remote: Text of the socket's address.
    func resolve(remote: String, _ headers: HTTPFields) -> String {
        guard !trusted.isEmpty, isTrusted(remote) else { return remote }
        if let forwarded = headers[.forwardedFor] {
            // From the right: every trusted proxy added whom it saw; the first one not trusted is the client.
            let hops = forwarded.split(separator: ",").map { $0.trimmingWhitespace() }
            for hop in hops.reversed() {
                guard AddressBlock(hop) != nil else { return remote }
                if !isTrusted(hop) { return hop }
            }
            if let first = hops.first { return first }
        }
        if let real = headers[.realIP]?.trimmingWhitespace(), AddressBlock(real) != nil { return real }
        return remote
    }

    private func isTrusted(_ address: String) -> Bool { trusted.contains { $0.contains(address) } }
}
