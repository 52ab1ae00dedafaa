import Foundation

/// The commands of the documentation that stand elsewhere than in the `sh` blocks, which `TourTests` runs: in `console`
/// blocks, in the running text, and in the first lines of the files for deploying.
enum DocumentedCommands {
    /// A command as it is written, and where.
    struct Line {
        let place: String
        let text: String

        /// Without the comment at the end and the variables in front.
        var words: [String] {
            let command = text.split(separator: " #", maxSplits: 1).first ?? ""
            return command.split(separator: " ").map(String.init).drop { $0.contains(#/^[A-Z_]+=/#) }.map { $0 }
        }

        /// The words, with the program as it is called from the path.
        var command: String {
            words.joined(separator: " ").replacing(#/^\.build\/(release|debug)\//#, with: "")
        }
    }

    static func all() throws -> [Line] {
        try pages().flatMap { try console(of: $0) + inline(of: $0) } + heads()
    }

    static func text(_ file: String) throws -> String {
        try String(contentsOf: ShellScript.root.appending(path: file), encoding: .utf8)
    }

    private static func pages() throws -> [String] {
        let docs = try FileManager.default.subpathsOfDirectory(atPath: ShellScript.root.appending(path: "docs").path)
        return ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
            + docs.filter { $0.hasSuffix(".md") && !$0.hasSuffix("metrics.md") }.map { "docs/" + $0 }
    }

    private static func console(of page: String) throws -> [Line] {
        try text(page).matches(of: #/```console\n([\s\S]*?)```/#).flatMap { block in
            block.1.split(separator: "\n").map { Line(place: page, text: String($0)) }
        }
    }

    private static func inline(of page: String) throws -> [Line] {
        try text(page).matches(of: #/`((?:[A-Z_]+=\S+ )*(?:switchboard |scripts\/|swift )[^`]*)`/#).map {
            Line(place: page, text: String($0.1).replacing("\n", with: " "))
        }
    }

    /// A line that ends with `\` goes on.
    static func heads() throws -> [Line] {
        let files = [
            "Dockerfile", "compose.yaml", "compose.sandbox.yaml", "kubernetes/switchboard.yaml",
            "systemd/switchboard.service",
        ]
        return try files.flatMap { name in
            let file = "deploy/" + name
            return try text(file).replacing("\\\n#", with: " ").split(separator: "\n").prefix { $0.hasPrefix("#") }
                .filter { $0.hasPrefix("#   ") }.map { Line(place: file, text: String($0.dropFirst(4))) }
        }
    }
}
