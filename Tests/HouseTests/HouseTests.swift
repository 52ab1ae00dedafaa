import Foundation
import Testing

/// The rules of docs/architecture.md that a compiler does not check: which module may import which.
@Suite("The house")
struct HouseTests {
    /// What each module may import of ours. A module absent here is a new one: decide where it stands.
    static let allowed: [String: Set<String>] = {
        let order: [String: Set<String>] = [
            "Cryptography": [],
            "WhatsAppProtobuf": [],
            "Database": [],
            "Transport": ["Cryptography", "WhatsAppProtobuf"],
            "Signal": ["Cryptography", "WhatsAppProtobuf", "Transport"],
            "Messaging": ["Cryptography", "WhatsAppProtobuf", "Transport", "Signal"],
            "Sandbox": ["Cryptography", "WhatsAppProtobuf", "Transport", "Signal"],
            "Storage": ["Cryptography", "WhatsAppProtobuf", "Transport", "Signal", "Messaging", "Database"],
            "AdminAuth": ["Cryptography", "Messaging", "Database", "Storage"],
            "Tenancy": ["Cryptography", "Transport", "Messaging", "Database", "Storage", "AdminAuth"],
            "Webhooks": ["Cryptography", "Messaging", "Database", "Storage", "AdminAuth", "Tenancy"],
            "Gateway": ["Cryptography", "Messaging", "Database", "Storage", "AdminAuth", "Tenancy", "Webhooks"],
        ]
        var all = order
        all["switchboard"] = Set(order.keys)
        return all
    }()

    /// What must never be imported there, whoever made it: the sentence says why.
    static let forbidden: [(module: String, imports: Set<String>, why: String)] = [
        (
            "Messaging", ["CPostgreSQL", "Hummingbird", "AsyncHTTPClient", "NIOHTTP1", "JWTKit"],
            "Messaging knows no SQL, no HTTP and no tenant"
        ),
        ("Gateway", ["Transport", "Signal", "WhatsAppProtobuf", "CPostgreSQL"], "Gateway knows no stanza and no SQL"),
        ("Signal", ["NIOCore", "NIOPosix", "NIOSSL"], "the ratchet is pure"),
        ("Cryptography", ["NIOCore", "Foundation"], "primitives stand on libsodium and libcrypto alone"),
    ]

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func swiftFiles(under folder: URL) -> [URL] {
        guard let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else { return [] }
        return walk.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    }

    static func imports(of file: URL) throws -> Set<String> {
        let text = try String(contentsOf: file, encoding: .utf8)
        var found: Set<String> = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let position = words.firstIndex(of: "import"), position + 1 < words.count else { continue }
            guard words[..<position].allSatisfy({ $0.hasPrefix("@") || modifiers.contains(String($0)) }) else {
                continue
            }
            var name = String(words[position + 1])
            if kinds.contains(name), position + 2 < words.count { name = String(words[position + 2]) }
            found.insert(String(name.split(separator: ".")[0]))
        }
        return found
    }

    private static let modifiers: Set<String> = ["package", "internal", "public", "private", "fileprivate"]
    private static let kinds: Set<String> = ["struct", "class", "enum", "func", "protocol", "typealias", "var", "let"]

    @Test("every module has a place in the order", arguments: try! modules())
    func everyModuleIsKnown(module: String) {
        #expect(Self.allowed[module] != nil, "Sources/\(module) is not in the order of docs/architecture.md")
    }

    @Test("a module imports only modules above it", arguments: allowed.keys.sorted())
    func importsFollowTheOrder(module: String) throws {
        let ours = Set(Self.allowed.keys)
        let folder = Self.root.appending(path: "Sources/\(module)")
        let files = Self.swiftFiles(under: folder)
        #expect(!files.isEmpty)
        for file in files {
            let forbidden = try Self.imports(of: file).intersection(ours)
                .subtracting(Self.allowed[module] ?? []).subtracting([module])
            #expect(forbidden.isEmpty, "\(file.lastPathComponent) of \(module) imports \(forbidden.sorted())")
        }
    }

    @Test("no module reaches for what its layer must not know")
    func layersStayIgnorant() throws {
        for rule in Self.forbidden {
            for file in Self.swiftFiles(under: Self.root.appending(path: "Sources/\(rule.module)")) {
                let found = try Self.imports(of: file).intersection(rule.imports)
                #expect(found.isEmpty, "\(file.lastPathComponent) imports \(found.sorted()): \(rule.why)")
            }
        }
    }

    @Test("the manifest's arrows agree with the order")
    func manifestFollowsTheOrder() throws {
        let manifest = try String(contentsOf: Self.root.appending(path: "Package.swift"), encoding: .utf8)
        let flat = manifest.replacing(#/\s+/#, with: " ")
        for (module, allowed) in Self.allowed where module != "switchboard" {
            let declaration = try Regex(#"(?:library\( ?|name: )"\#(module)",[^\[]*\[([^\]]*)\]"#)
            guard let match = flat.firstMatch(of: declaration), let list = match[1].substring else {
                Issue.record("Package.swift does not declare \(module) in the form this test reads")
                continue
            }
            let quoted = Set(list.matches(of: #/"(\w+)"/#).map { String($0.1) })
            let wrong = quoted.intersection(Self.allowed.keys).subtracting(allowed)
            #expect(wrong.isEmpty, "\(module) depends on \(wrong.sorted()) in Package.swift")
        }
    }

    @Test("SQL stands only in Database and Storage")
    func statementsHaveOneHome() throws {
        let statement = #/"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+\S+\s/#
        for module in Self.allowed.keys where !["Database", "Storage", "switchboard"].contains(module) {
            for file in Self.swiftFiles(under: Self.root.appending(path: "Sources/\(module)")) {
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(text.firstMatch(of: statement) == nil, "\(module)/\(file.lastPathComponent) contains SQL")
            }
        }
    }

    @Test("no file of ours names a path of somebody's machine")
    func noPrivatePaths() throws {
        let pattern = #/(^|[^\w.\/])\/(work|farm|home\/\w+|Users\/\w+)\//#
        for folder in ["Sources", "Tests", "scripts", "docs"] {
            let url = Self.root.appending(path: folder)
            guard let walk = FileManager.default.enumerator(at: url, includingPropertiesForKeys: nil) else { continue }
            for case let file as URL in walk where file.lastPathComponent != "HouseTests.swift" {
                guard let text = try? String(contentsOf: file, encoding: .utf8), text.utf8.count < 400_000 else {
                    continue
                }
                #expect(text.firstMatch(of: pattern) == nil, "\(file.lastPathComponent) names a private path")
            }
        }
    }

    static func modules() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)
            .filter { $0 != "SystemLibraries" && !$0.hasPrefix(".") }.sorted()
    }
}
