import Foundation
import Testing

@testable import Gateway

@Suite("Error catalogue")
struct ErrorCatalogueTests {
    private var root: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    @Test("every word stands once and every status has a meaning")
    func unique() {
        let words = ErrorCatalogue.all.map(\.word)
        #expect(Set(words).count == words.count)
        #expect(ErrorCatalogue.all.allSatisfy { !$0.statuses.isEmpty && $0.meaning.hasSuffix(".") })
    }

    @Test("every error that the gateway's code makes is in the catalogue with its status")
    func complete() throws {
        let folder = root.appending(path: "Sources/Gateway")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap {
            ($0 as? URL).flatMap { $0.pathExtension == "swift" ? $0 : nil }
        }
        var seen = 0
        let call = /APIError\(\s*(\d{3}), "([a-z_]+)"/
        for file in files ?? [] {
            for match in try String(contentsOf: file, encoding: .utf8).matches(of: call) {
                seen += 1
                let entry = ErrorCatalogue.entry(String(match.2))
                #expect(
                    entry?.statuses.contains(Int(match.1) ?? 0) == true,
                    "\(file.lastPathComponent): ErrorCatalogue has no line for \(match.2) with \(match.1)")
            }
        }
        #expect(seen > 30)
    }

    @Test("docs/errors.md is what the catalogue gives (SWITCHBOARD_WRITE_DOCS=1 writes it)")
    func isDocumented() throws {
        let path = root.appending(path: "docs/errors.md")
        if ProcessInfo.processInfo.environment["SWITCHBOARD_WRITE_DOCS"] != nil {
            try ErrorCatalogue.markdown.write(to: path, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: path, encoding: .utf8) == ErrorCatalogue.markdown)
    }
}
