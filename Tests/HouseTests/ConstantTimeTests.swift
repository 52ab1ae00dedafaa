import Foundation
import Testing

/// Secrets, and what proves knowledge of one, are compared in constant time (13-configuration, section 15; Cryptography has
/// `constantTimeEquals`). What looks like one and is none is named here, with its reason.
@Suite("Comparisons")
struct ConstantTimeTests {
    /// By file, the text of the comparison.
    static let harmless: [String: [String: String]] = [
        "PreKeyDigest.swift": ["expected == hash": "a digest of public keys, which the server has"],
        "DeviceRepository.swift": [
            "row[\"request_hash\"] == repetition.requestHash": "the caller's own request, below its own key"
        ],
        "IdempotentSend.swift": ["hash == call.fingerprint": "the caller's own request, below its own key"],
        "AuthenticationSettings.swift": ["admin == token": "two settings of the operator, at start"],
    ]

    /// What stands for a secret or for the proof of one, as the last word of a name.
    private static let telling = [
        "mac", "hmac", "macs", "signature", "secret", "digest", "hash", "token", "password", "pepper", "apikey", "key",
        "proof", "commitment", "challenge", "pin",
    ]

    struct Comparison: Hashable {
        let file: String
        let text: String
    }

    @Test("nothing secret is compared with == or elementsEqual")
    func sourcesCompareInConstantTime() throws {
        var excused = Set(
            Self.harmless.flatMap { file, texts in texts.keys.map { Comparison(file: file, text: $0) } })
        var seen = 0
        // The sandbox plays phones and servers for tests: its secrets are nobody's.
        for module in HouseTests.allowed.keys.sorted() where module != "Sandbox" {
            for file in HouseTests.swiftFiles(under: HouseTests.root.appending(path: "Sources/\(module)")) {
                for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                    for text in Self.suspicious(in: line) {
                        seen += 1
                        let comparison = Comparison(file: file.lastPathComponent, text: text)
                        if Self.harmless[comparison.file]?[text] != nil {
                            excused.remove(comparison)
                            continue
                        }
                        Issue.record("\(module)/\(comparison.file) compares \"\(text)\": use constantTimeEquals")
                    }
                }
            }
        }
        #expect(seen > 0 && excused.isEmpty, "no longer there: \(excused)")
    }

    @Test(
        "the rule sees what it is for",
        arguments: [
            "guard mac == message.mac else { throw SignalError.badMAC }",
            "if HMACSHA256.authenticate(signed, key: key) == signature {",
            "return stored.secretHash != hasher.hash(deviceSecret: secret)", "if adminSecret == candidate {",
            "guard expected.elementsEqual(next.patchMAC) else {", "where $0.hash == keyHash", "token == self.token",
        ])
    func seen(line: String) { #expect(!Self.suspicious(in: Substring(line)).isEmpty) }

    @Test(
        "and lets alone what is no secret",
        arguments: [
            "guard signature.count == 64 else {", "if mac == nil {", "case .token where error == .signature:",
            "// mac == mac would be wrong", "guard hash.count != 32 else {", "tokenVersion == token.version",
        ])
    func unseen(line: String) { #expect(Self.suspicious(in: Substring(line)).isEmpty) }

    /// The comparisons of a line with a telling name on either side.
    static func suspicious(in line: Substring) -> [String] {
        guard !line.drop(while: { $0 == " " }).hasPrefix("//") else { return [] }
        let operand = #"(?:\$\d|\w+)(?:\.\w+|\[[^\]]*\]|\((?:[^()]|\([^()]*\))*\)|[?!])*"#
        guard
            let operators = try? Regex("(\(operand)) (?:==|!=) (\\.?\(operand)|\"[^\"]*\")"),
            let elements = try? Regex("(\(operand))\\.elementsEqual\\((\(operand))\\)")
        else { return ["a rule that is no pattern"] }
        var found: [String] = []
        for pattern in [operators, elements] {
            for match in line.matches(of: pattern) {
                let sides = (1...2).compactMap { match[$0].substring }
                // A case of an enumeration, a number and nil are no bytes of anybody.
                if let right = sides.last, right.hasPrefix(".") || right == "nil" || Int(right) != nil { continue }
                if sides.contains(where: isTelling) { found.append(String(line[match.range])) }
            }
        }
        return found
    }

    /// The last word of the last name, without what it is called with.
    private static func isTelling(_ operand: Substring) -> Bool {
        var name = Substring()
        var depth = 0
        for character in operand {
            switch character {
            case "(", "[": depth += 1
            case ")", "]": depth -= 1
            case "." where depth == 0: name = ""
            default: if depth == 0 { name.append(character) }
            }
        }
        // What is called by its verb: `authenticate(…)` gives a MAC, `hash(…)` a digest.
        if name == "authenticate" { return true }
        let lowered = name.lowercased()
        if telling.contains(lowered) { return lowered != "key" }
        let word = name.reversed().prefix { !$0.isUppercase }.count + 1
        let last = name.suffix(word).lowercased()
        return telling.contains(where: { last == $0 && $0 != "key" }) || name.hasSuffix("MAC")
            || name.hasSuffix("APIKey")
    }
}
