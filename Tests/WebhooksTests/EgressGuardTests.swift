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
        "no form of a blocked address gets through: decimal, hexadecimal, octal, short, mapped, compatible, translated")
    func everyForm() throws {
        let blocked = [
            "0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255",
            "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
            "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        ]
        for address in blocked {
            let parts = address.split(separator: ".").compactMap { UInt32($0) }
            let value = parts.reduce(UInt32(0)) { $0 << 8 | $1 }
            let (high, low) = (String(value >> 16, radix: 16), String(value & 0xFFFF, radix: 16))
            let (hex, octal) = (String(value, radix: 16), String(value, radix: 8))
            let forms = [
                address, "\(address).", "\(value)", "0x\(hex)", "0X\(hex.uppercased())", "0\(octal)",
                parts.map { "0x" + String($0, radix: 16) }.joined(separator: "."),
                parts.map { "0" + String($0, radix: 8) }.joined(separator: "."),
                "\(parts[0]).\(parts[1]).\(value & 0xFFFF)", "\(parts[0]).\(value & 0xFF_FFFF)",
                "[::ffff:\(address)]", "[::ffff:\(high):\(low)]", "[0:0:0:0:0:ffff:\(high):\(low)]",
                "[::FFFF:\(address)]", "[::\(address)]", "[::ffff:0:\(address)]", "[64:ff9b::\(address)]",
                "[64:ff9b::\(high):\(low)]", "[64:ff9b:1::\(high):\(low)]", "[2002:\(high):\(low)::1]",
                "[::ffff:\(address)%25eth0]",
            ]
            for form in forms {
                #expect(throws: EgressGuard.Refusal.self, "\(form)") { try egress.target(of: "https://\(form)/hook") }
            }
        }
        let blockedV6 = [
            "::", "::1", "100::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "fc00::1", "fdff:ffff::1", "fe80::1",
            "fec0::1", "ff02::1",
        ]
        for address in blockedV6 {
            #expect(throws: EgressGuard.Refusal.privateAddress, "\(address)") {
                try egress.target(of: "https://[\(address)]:8443/")
            }
        }
        for address in ["93.184.216.34", "[2606:4700:4700::1111]", "[::ffff:93.184.216.34]"] {
            _ = try egress.target(of: "https://\(address)/")
        }
        for odd in [
            "127%2e0%2e0%2e1", "\u{FF11}27.0.0.1", "127.0.0.1\u{3002}x", "example.com\t", "127.0.0.1#@a.com:22",
        ] {
            #expect(throws: EgressGuard.Refusal.self, "\(odd)") { try egress.target(of: "https://\(odd)") }
        }
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
        #expect(throws: EgressGuard.Refusal.schemeBesideHTTP) { try open.target(of: "gopher://example.com") }
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
