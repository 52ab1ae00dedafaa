import Tenancy

/// The guard of devices' own proxies (11-webhooks, section 7): asked when one is set, and again at every connection through
/// it, which goes to the address that was checked.
package struct ProxyEgress: Sendable {
    private let egress: EgressGuard
    private let resolver: any HostResolver

    package init(_ egress: EgressGuard, resolver: any HostResolver = SystemHostResolver()) {
        self.egress = egress
        self.resolver = resolver
    }

    /// The address to dial, as text; the name server gets 10 s. Throws ``EgressGuard/Refusal``.
    package func address(ofHost host: String, port: Int) async throws -> String {
        let target = try egress.proxy(host: host, port: port)
        let found = try await Race.run(within: .seconds(10)) { [resolver] in
            if let literal = IPAddress(literal: target.host) { return [literal] }
            return await resolver.addresses(of: target.host)
        }
        let permitted = try egress.check(target, resolved: found ?? [])
        // Most proxies listen on IPv4 where a name has both.
        guard let address = permitted.first(where: \.isIPv4) ?? permitted.first else {
            throw EgressGuard.Refusal.unresolvable
        }
        return address.description
    }
}
