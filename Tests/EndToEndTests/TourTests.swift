import Foundation
import TestSupport
import Testing

@Suite("Documentation")
struct TourTests {
    @Test("the tour's commands in the README run as they are written, and again beside the receiver of the first time")
    func tour() async throws {
        try #require(try ShellScript.blocks(of: "README.md").count >= 6)
        try await withDev { dev in
            let (status, output) = try await ShellScript.run("README.md", against: dev, times: 2)
            #expect(status == 0, "\(output)")
            #expect(output.contains("signature ok  message.received"), "\(output)")
            #expect(output.contains(#""text":"Are you a bot?""#), "\(output)")
            #expect(output.contains(#""text":"Tea at five?""#), "\(output)")
        }
    }

    @Test("no two pages use one port, so that they can be walked one beside the other")
    func ports() throws {
        var pages: [String: String] = [:]
        for (page, _) in Self.pages + [("README.md", [])] {
            for port in Set(try ShellScript.ports(of: page)) {
                #expect(pages[port] == nil, "\(page) and \(pages[port] ?? "") use \(port)")
                pages[port] = page
            }
        }
        #expect(pages.count >= 4, "\(pages)")
    }

    /// Pages with commands, and what their output shows at least.
    static let pages: [(page: String, shows: [String])] = [
        ("docs/quickstart.md", ["OK", "total_api_keys", "ok    migrations: up to date", "ok    node: alive"]),
        (
            "docs/security.md",
            ["Devices retrieved successfully\nDevices retrieved successfully\nAPI key rotated", "Invalid API key"]
        ),
        ("docs/operations.md", ["ok    migrations: up to date", "ready"]),
        ("docs/guides/first-bot-curl.md", ["the guest asks: Are you open today?", "connection.pair_success"]),
        ("docs/guides/first-bot-python.md", ["answered 12025550121@s.whatsapp.net"]),
        ("docs/guides/first-bot-swift.md", [#""state":"paired""#]),
        (
            "docs/guides/webhooks.md",
            [
                "signature ok  test.ping", #""Status":"success""#, #"{"queued":1,"skipped":0}"#, "event: connection.qr",
                #"{"event_type":"connection.qr","attempts":[{"attempt":1"#,
            ]
        ),
        ("docs/guides/passkey.md", [#""state":"passkey_requested""#, "Passkey response sent", "linked"]),
        ("docs/sandbox.md", [#""text":"hello""#]),
        ("docs/fair-use.md", ["is_registered"]),
        ("docs/api.md", ["3.1"]),
    ]

    /// Pages whose commands a script of their own runs.
    static let pagesOfScripts = ["docs/backup.md"]

    /// Pages with commands that are too long or too large for a test run (`console`): scripts/check-run does the first of
    /// README and quickstart, and a small form of the benchmarks.
    static let pagesWithConsoles = ["README.md", "CONTRIBUTING.md", "docs/quickstart.md", "docs/benchmarks.md"]

    @Test("every block of a page says what it is, so that no command hides in one that is not run")
    func blocksAreLabelled() throws {
        let names = try FileManager.default.subpathsOfDirectory(atPath: ShellScript.root.appending(path: "docs").path)
        let pages =
            ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
            + names.filter { $0.hasSuffix(".md") }.map { "docs/" + $0 }
        for page in pages {
            let labels = Set(try ShellScript.labels(of: page))
            let strange = labels.subtracting(["sh", "text", "json", "python", "swift", "sql", "console"])
            #expect(strange.isEmpty, "\(page): blocks of \(strange)")
            #expect(!labels.contains("console") || Self.pagesWithConsoles.contains(page), "\(page): console")
        }
    }

    @Test("the commands of the other pages run as they are written")
    func commands() async throws {
        try await withDev { dev in
            for (page, shows) in Self.pages {
                let (status, output) = try await ShellScript.run(page, against: dev)
                #expect(status == 0, "\(page): \(output)")
                for text in shows { #expect(output.contains(text), "\(page) does not show \(text): \(output)") }
            }
        }
    }

    @Test("no page with commands is forgotten, and every link within the repository leads somewhere")
    func pagesAreKnown() throws {
        let root = ShellScript.root
        var pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
        let names = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: "docs").path)
        pages += names.filter { $0.hasSuffix(".md") }.map { "docs/" + $0 }
        let known = Set(Self.pages.map(\.page) + Self.pagesOfScripts + ["README.md"])
        for page in pages {
            #expect(
                try known.contains(page) || ShellScript.blocks(of: page).isEmpty, "no test runs the commands of \(page)"
            )
            let text = try String(contentsOf: root.appending(path: page), encoding: .utf8)
            let folder = root.appending(path: page).deletingLastPathComponent()
            for match in text.matches(of: #/\]\(([^)\s]+)\)/#) {
                let target = String(match.1.prefix { $0 != "#" })
                guard !target.isEmpty, !target.contains("://") else { continue }
                #expect(
                    FileManager.default.fileExists(atPath: folder.appending(path: target).path),
                    "\(page) links to \(target), which is not there")
            }
        }
    }
}
