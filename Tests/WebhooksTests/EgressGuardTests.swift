import Tenancy
import Testing

@testable import Webhooks

@Suite("Egress guard")
struct EgressGuardTests {
    let egress = EgressGuard()

    @Test(
        "an address of our own network is refused in every notation",
        arguments: [
            "https://127.0.0.1/", "https://127.1", "https://2130706433", "https://0x7f.1", "https://0177.0.0.1",
            "https://0x7f000001", "https://10.0.0.1:8443/x", "https://[::1]", "https://[::ffff:10.0.0.1]",
            "https://[::ffff:7f00:1]", "https://[64:ff9b::a00:1]", "https://[fd00::1]", "https://[fe80::1%25eth0]",
            "https://[2002:7f00:1::]", "https://169.254.169.254/latest/meta-data", "https://100.64.0.1",
            "https://224.0.0.1", "https://0.0.0.0", "https://255.255.255.255", "https://192.168.1.1",
            "https://172.31.255.255", "https://localhost", "https://LOCALHOST.", "https://a.localhost",
            "https://x.local",
            "https://metadata.google.internal", "https://router.home.arpa", "https://intranet", "https://[::]",
            "https://[::127.0.0.1]", "https://127.0.0.1.",
        ])
    func privateTargets(url: String) {
        #expect(throws: EgressGuard.Refusal.privateAddress, "\(url)") { try egress.target(of: url) }
    }

    @Test(
        "a URL that is not one is refused",
        arguments: [
            "https://", "https:///x", "https://user@example.com", "https://user:p@example.com", "https://exa mple.com",
            "https://example.com:22", "https://example.com:0", "https://example.com:99999", "https://example.com:x",
            "https://exa\u{0}mple.com", "https://-a.example.com", "https://[::1", "example.com",
            "https://a\\b.example.com",
            "https://" + String(repeating: "a", count: 2048) + ".com", "https://bücher.example",
        ])
    func malformed(url: String) {
        #expect(throws: EgressGuard.Refusal.self, "\(url)") { try egress.target(of: url) }
    }

    @Test("only HTTPS is allowed until the operator allows HTTP")
    func schemes() throws {
        #expect(throws: EgressGuard.Refusal.scheme) { try egress.target(of: "http://example.com") }
        #expect(throws: EgressGuard.Refusal.scheme) { try egress.target(of: "ftp://example.com") }
        let open = EgressGuard(allowHTTP: true)
        #expect(try open.target(of: "http://example.com").port == 80)
        #expect(throws: EgressGuard.Refusal.scheme) { try open.target(of: "gopher://example.com") }
    }

    @Test("a public target is read into its parts")
    func parts() throws {
        let target = try egress.target(of: "HTTPS://Hooks.Example.COM:8443/a/b?c=d#e")
        #expect(target.host == "hooks.example.com" && target.port == 8443 && target.isSecure)
        #expect(target.pathAndQuery == "/a/b?c=d")
        #expect(try egress.target(of: "https://example.com?x=1").pathAndQuery == "/?x=1")
    }

    @Test("one private address among a name's addresses refuses it")
    func resolution() throws {
        let target = try egress.target(of: "https://example.com")
        let good = try #require(IPAddress(literal: "93.184.216.34"))
        let bad = try #require(IPAddress(literal: "10.0.0.1"))
        #expect(try egress.check(target, resolved: [good]) == [good])
        #expect(throws: EgressGuard.Refusal.privateAddress) { try egress.check(target, resolved: [good, bad]) }
        #expect(throws: EgressGuard.Refusal.unresolvable) { try egress.check(target, resolved: []) }
    }

    @Test("an operator's exceptions open a range, and a denial wins over them")
    func exceptions() throws {
        let loopback = try #require(AddressBlock("127.0.0.0/8"))
        let one = try #require(AddressBlock("127.0.0.9/32"))
        let egress = EgressGuard(allowHTTP: true, allowed: [loopback], denied: [one])
        let target = try egress.target(of: "http://127.0.0.1:9000/hook")
        #expect(target.port == 9000)
        #expect(throws: EgressGuard.Refusal.privateAddress) { try egress.target(of: "http://127.0.0.9:9000") }
        #expect(throws: EgressGuard.Refusal.privateAddress) { try egress.target(of: "http://10.0.0.1:9000") }
        let named = try egress.target(of: "http://localhost:9000")
        let home = try #require(IPAddress(literal: "127.0.0.1"))
        #expect(try egress.check(named, resolved: [home]) == [home])
        let outside = try #require(IPAddress(literal: "93.184.216.34"))
        #expect(throws: EgressGuard.Refusal.privateAddress) { try egress.check(named, resolved: [outside]) }
    }

    @Test("ranges match by their prefix", arguments: ["10.0.0.0/8", "10.0.0.0/15", "fd00::/8"])
    func ranges(text: String) throws {
        let block = try #require(AddressBlock(text))
        let inside = try #require(IPAddress(literal: text.hasPrefix("10") ? "10.1.255.255" : "fdff::1"))
        let outside = try #require(IPAddress(literal: text.hasPrefix("10") ? "11.0.0.0" : "fc00::1"))
        #expect(block.contains(bytes: inside.bytes) && !block.contains(bytes: outside.bytes))
        #expect(AddressBlock("10.0.0.0/33") == nil && AddressBlock("x/8") == nil && AddressBlock("10.0.0.0/-1") == nil)
    }
}
