import Tenancy

/// The guard of devices' own proxies (11-webhooks, section 7): asked when one is set, and again at every connection through
/// it, which goes to one of the addresses that were checked.
package struct ProxyEgress: Sendable {
    private let egress: EgressGuard
    private let resolver: any HostResolver

    package init(_ egress: EgressGuard, resolver: any HostResolver = SystemHostResolver()) {
        self.egress = egress
        self.resolver = resolver
    }

    /// The addresses that may be dialed, as text, at least one; the name server gets 10 s. Throws ``EgressGuard/Refusal``.
    package func addresses(ofHost host: String, port: Int) async throws -> [String] {
        let target = try egress.proxy(host: host, port: port)
        let found = try await Race.run(within: .seconds(10)) { [resolver] in
            if let literal = IPAddress(literal: target.host) { return [literal] }
            return await resolver.addresses(of: target.host)
        }
        let permitted = try egress.check(target, resolved: found ?? [])
        if permitted.isEmpty { throw EgressGuard.Refusal.unresolvable }
        return permitted.map(\.description)
    }
}
